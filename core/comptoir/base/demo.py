"""Demonstration contacts: invented people and companies of five countries, with numbers and addresses that reach nobody."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comptoir.base.models import Appointment, Contact, ContactAddress, ContactEmail, ContactPhone, Interaction, Task
from comptoir.toolkit import Context, Team, User, country_code, fold, give_role, save

SEED = 20261122


@dataclass(frozen=True, slots=True)
class Country:
    """What invented contacts of one country are called, and where and how they are reached."""

    name: str
    language: str
    prefix: str
    seller: str
    companies: tuple[str, ...]
    first_names: tuple[str, ...]
    last_names: tuple[tuple[str, str], ...]
    """For men and for women, where they differ."""
    cities: tuple[tuple[str, str], ...]
    """With their postal codes."""
    streets: tuple[str, ...]


COUNTRIES = (
    Country(
        "Romania",
        "ro",
        "+40 21 555 01",
        "Radu Ionescu",
        (
            "Cafeneaua Veche SRL", "Grădina cu Tei SRL", "Mega Fruct SRL", "Hotel Ateneu Palat SA", "Cofetăria Trei Nuci SRL",
            "Brutăria Morarul SRL", "Restaurant Șase Trepte SRL", "Pensiunea Valea Verde SRL", "Depozit Gustul Bun SRL",
            "Terasa Lacului SRL", "Ceainăria Frunza SRL", "Hanul Pietrarului SA", "Simigeria Colțul SRL", "Crama Țiglei SRL",
            "Patiseria Zâna SRL",
        ),
        ("Andrei", "Ioana", "Mihai", "Elena", "Ștefan", "Cristina", "Vlad", "Raluca", "Simona", "Bogdan"),
        (("Ionescu", "Ionescu"), ("Popa", "Popa"), ("Dumitru", "Dumitru"), ("Șerban", "Șerban"), ("Mureșan", "Mureșan")),
        (("București", "010011"), ("Cluj-Napoca", "400001"), ("Iași", "700028"), ("Timișoara", "300006"), ("Brașov", "500007")),
        ("Strada Lipscani", "Calea Victoriei", "Bulevardul Unirii", "Strada Morii", "Aleea Teilor"),
    ),
    Country(
        "Netherlands",
        "nl",
        "+31 20 555 01",
        "Sander de Vries",
        (
            "Koffiehuis De Linde B.V.", "Lunchroom De Gracht", "Zon & Zout Horeca B.V.", "Grand Café Zuiderzee B.V.",
            "Hotel De Oude Haven B.V.", "Bakkerij Van der Molen", "Boulangerie Amstel B.V.", "Pannenkoekenhuis ’t Wiel",
            "Brasserie Het IJ B.V.", "Groothandel Noordzee B.V.", "IJssalon Zonneschijn", "Restaurant De Veerman",
            "Proeflokaal De Eik", "Theehuis Duinzicht", "Eetcafé De Kade B.V.",
        ),
        ("Daan", "Sanne", "Bram", "Lotte", "Joost", "Femke", "Thijs", "Anouk", "Ruben", "Maud"),
        (("de Boer", "de Boer"), ("van Dijk", "van Dijk"), ("Jansen", "Jansen"), ("Bakker", "Bakker"), ("Vermeulen", "Vermeulen")),
        (("Amsterdam", "1012 AB"), ("Utrecht", "3511 AA"), ("Rotterdam", "3011 AA"), ("Haarlem", "2011 AA"), ("Groningen", "9711 AA")),
        ("Prinsenstraat", "Havenkade", "Molenweg", "Kerkplein", "Lange Gracht"),
    ),
    Country(
        "Azerbaijan",
        "az",
        "+994 12 555 01",
        "Leyla Əliyeva",
        (
            "Xəzər Qida MMC", "Şirvan Otel MMC", "Lokanta Nizami MMC", "Çay Evi Sumqayıt MMC", "Gəncə Mall MMC",
            "Qəhvə Evi Nizami MMC", "Abşeron Şirniyyat MMC", "Qız Qalası Restoran MMC", "Nar Bağı MMC", "Körpü Çörək MMC",
            "Dəniz Kafe MMC", "Ulduz Topdansatış MMC", "Göygöl İstirahət MMC", "Bahar Çay Evi MMC", "Şəki Halva MMC",
        ),
        ("Rəşad", "Sevinc", "Tural", "Aysel", "Elçin", "Günel", "Orxan", "Nigar", "Vüqar", "Lalə"),
        (("Məmmədov", "Məmmədova"), ("Kərimov", "Kərimova"), ("İbrahimov", "İbrahimova"), ("Nəbiyev", "Nəbiyeva"), ("Hüseynov", "Hüseynova")),
        (("Bakı", "AZ1000"), ("Gəncə", "AZ2000"), ("Sumqayıt", "AZ5000"), ("Şəki", "AZ5500"), ("Lənkəran", "AZ4200")),
        ("Nizami küçəsi", "Xaqani küçəsi", "Füzuli küçəsi", "Bülbül prospekti", "Sahil küçəsi"),
    ),
    Country(
        "Bulgaria",
        "bg",
        "+359 2 555 01",
        "Георги Петров",
        (
            "Сладкарница Витоша ООД", "Пекарна Розова долина АД", "Хотел Марица ЕАД", "Пивоварна Тепе ООД", "Кафе Орех ЕООД",
            "Ресторант Каменица ООД", "Механа Старата воденица", "Търговия на едро Дунав ООД", "Чайна Липа ЕООД",
            "Хлебарница Слънце ООД", "Хотел Морски бряг АД", "Бистро Плиска ЕООД", "Сладоледена къща ООД", "Винарна Тракия АД",
            "Закусвалня Ъгъла ЕООД",
        ),
        ("Иван", "Мария", "Димитър", "Елена", "Николай", "Десислава", "Стоян", "Радостина", "Петър", "Йоана"),
        (("Иванов", "Иванова"), ("Димитров", "Димитрова"), ("Стоянов", "Стоянова"), ("Ангелов", "Ангелова"), ("Колев", "Колева")),
        (("София", "1000"), ("Пловдив", "4000"), ("Варна", "9000"), ("Бургас", "8000"), ("Русе", "7000")),
        ("ул. Шипка", "бул. Витоша", "ул. Раковски", "ул. Дунав", "ул. Липите"),
    ),
    Country(
        "Poland",
        "pl",
        "+48 22 555 01",
        "Katarzyna Wiśniewska",
        (
            "Piekarnia Złoty Kłos", "Pierogarnia Mazurek", "Delikatesy Stary Rynek", "Lodziarnia Gdańska", "Hurtownia Wisła S.A.",
            "Sieć Kawa i Spółka", "Hotel Pod Dębem sp. z o.o.", "Karczma Góralska", "Cukiernia Słodki Róg", "Bistro Żuraw sp. z o.o.",
            "Herbaciarnia Jaśmin", "Restauracja Łazienki sp. z o.o.", "Browar Śródmieście S.A.", "Kawiarnia Świt", "Bar Mleczny Ćwikła",
        ),
        ("Piotr", "Agnieszka", "Tomasz", "Małgorzata", "Łukasz", "Zofia", "Paweł", "Joanna", "Michał", "Ewa"),
        (("Kowalski", "Kowalska"), ("Wójcik", "Wójcik"), ("Zieliński", "Zielińska"), ("Dąbrowski", "Dąbrowska"), ("Szymański", "Szymańska")),
        (("Warszawa", "00-001"), ("Kraków", "30-001"), ("Gdańsk", "80-001"), ("Poznań", "60-001"), ("Wrocław", "50-001")),
        ("ul. Długa", "ul. Mokotowska", "ul. Rynek", "al. Lipowa", "ul. Wodna"),
    ),
)  # fmt: skip

TEAMS: dict[str, dict[str, tuple[str, ...]]] = {
    "South East": {
        "Bucharest": ("Ana Mureșan", "Radu Ionescu"),
        "Baku": ("Leyla Əliyeva",),
        "Sofia": ("Георги Петров",),
    },
    "North West": {"Amsterdam": ("Sander de Vries",), "Warsaw": ("Katarzyna Wiśniewska",)},
}
"""Regions, their teams, and who works there."""
ADDRESSES = {
    "Ana Mureșan": "ana", "Radu Ionescu": "radu", "Leyla Əliyeva": "leyla", "Георги Петров": "georgi",
    "Sander de Vries": "sander", "Katarzyna Wiśniewska": "katarzyna",
}  # fmt: skip
JOB_TITLES = ("Owner", "Purchasing", "Chef", "Accounts payable", "Technician", "Bar manager", "Managing director")
SECTORS = ("Café", "Restaurant", "Hotel", "Bakery", "Wholesale", "Catering")
STATUSES = ("cold", "warm", "warm", "regular", "regular", "regular", "new", "vip")
TAGS = ("Key account", "Trade fair", "Newsletter")
SOURCES = ("web", "phone", "referral", "event", "campaign", "partner")
TALKS = (
    ("call", "in", "Asked about delivery times", "Needs an answer before the weekend."),
    ("call", "out", "Followed up on the offer", "Will decide with the partner next week."),
    ("mail", "out", "Sent the new price list", "With the spring conditions and the service plan."),
    ("mail", "in", "Question about the invoice", "The tax number was missing; a corrected one is on its way."),
    ("meeting", "none", "Visit on site", "Looked at the bar and measured the counter. Power supply is sufficient."),
    ("meeting", "none", "Demonstration in the showroom", "Tried two machines, prefers the larger one."),
    ("note", "none", "A second shop is planned", "They want one supplier for both."),
    ("chat", "in", "Asked for opening hours", "Answered."),
    ("letter", "out", "Warranty papers sent", "By registered mail."),
)
ERRANDS = ("Call back", "Send the revised offer", "Ask for a reference", "Check the delivery slot", "Plan a visit")


def create_contacts(ctx: Context) -> None:
    """People who sell, in teams; their customers; what was said and what is to be done."""
    chance = random.Random(SEED)
    sellers = _create_sellers(ctx)
    companies = [
        _company(chance, country, number, sellers) for country in COUNTRIES for number in range(len(country.companies))
    ]
    save(ctx, [company for company, _country in companies])
    taken = {country.name: len(country.companies) for country in COUNTRIES}
    people = []
    for company, country in companies:
        people.append(_person(chance, country, company, taken[country.name]))
        taken[country.name] += 1
    save(ctx, people)
    everyone = [*(company for company, _country in companies), *people]
    save(ctx, _history(ctx, chance, everyone))
    save(ctx, _tasks(ctx, chance, everyone))
    save(ctx, _appointments(ctx, chance, people))


def _create_sellers(ctx: Context) -> Mapping[str, User]:
    found: dict[str, User] = {}
    for region_name, teams in TEAMS.items():
        region = Team(name=region_name)
        save(ctx, [region])
        rows = {name: Team(name=name, parent_id=region.id) for name in teams}
        save(ctx, rows.values())
        for team_name, names in teams.items():
            for name in names:
                found[name] = User(name=name, email=f"{ADDRESSES[name]}@comptoir.example", team_id=rows[team_name].id)
        if region_name == "South East":
            found["Ana Mureșan"].team_id = region.id
    save(ctx, found.values())
    give_role(ctx, found.values(), "base.employee")
    return found


LATIN = [
    "a",
    "b",
    "v",
    "g",
    "d",
    "e",
    "zh",
    "z",
    "i",
    "y",
    "k",
    "l",
    "m",
    "n",
    "o",
    "p",
    "r",
    "s",
    "t",
    "u",
    "f",
    "h",
    "ts",
    "ch",
    "sh",
    "sht",
    "a",
    "y",
    "yu",
    "ya",
]
CYRILLIC = str.maketrans(dict(zip("абвгдежзийклмнопрстуфхцчшщъьюя", LATIN, strict=True)))


def _slug(name: str) -> str:
    """The Latin part of an invented domain."""
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in fold(name.lower().translate(CYRILLIC)))
    return "-".join(part for part in letters.split("-") if part)[:40] or "company"


def _company(
    chance: random.Random, country: Country, number: int, sellers: Mapping[str, User]
) -> tuple[Contact, Country]:
    name = country.companies[number]
    city, postal_code = country.cities[number % len(country.cities)]
    owner = sellers["Ana Mureșan"] if country.name == "Romania" and number % 2 else sellers[country.seller]
    slug = _slug(name)
    return (
        Contact(
            name=name,
            kind="company",
            status=chance.choice(STATUSES),
            sector=chance.choice(SECTORS),
            source=chance.choice(SOURCES),
            language=country.language,
            website=f"https://{slug}.example",
            tags=[tag for place, tag in enumerate(TAGS) if (number + place) % 4 == 0] or None,
            employees=chance.randint(3, 240),
            year_established=chance.randint(1965, 2022),
            owner_id=owner.id,
            phones=[ContactPhone(label="work", number=f"{country.prefix} {number:02}")],
            emails=[ContactEmail(label="work", address=f"office@{slug}.example")],
            addresses=[
                ContactAddress(
                    label="main",
                    street=f"{chance.choice(country.streets)} {chance.randint(1, 120)}",
                    postal_code=postal_code,
                    city=city,
                    country=country_code(country.name),
                )
            ],
        ),
        country,
    )


def _person(chance: random.Random, country: Country, company: Contact, number: int) -> Contact:
    place = chance.randrange(len(country.first_names))
    man, woman = chance.choice(country.last_names)
    first = country.first_names[place]
    name = f"{first} {woman if place % 2 else man}"
    return Contact(
        name=name,
        kind="person",
        status=company.status,
        parent_id=company.id,
        job_title=chance.choice(JOB_TITLES),
        language=country.language,
        city=company.city,
        country=company.country,
        owner_id=company.owner_id,
        phones=[ContactPhone(label="mobile", number=f"{country.prefix} {number:02}")],
        emails=[ContactEmail(label="work", address=f"{_slug(name)}@{_slug(company.name)}.example")],
    )


def _history(ctx: Context, chance: random.Random, contacts: Sequence[Contact]) -> list[Interaction]:
    found = []
    for contact in contacts:
        for _entry in range(chance.randint(1, 4)):
            kind, direction, subject, body = chance.choice(TALKS)
            found.append(
                Interaction(
                    contact_id=contact.id,
                    kind=kind,
                    direction=direction,
                    subject=subject,
                    body=body,
                    happened_at=_working_hour(ctx, chance, -chance.randint(1, 500)),
                    minutes=chance.choice((5, 10, 20, 45)) if kind in ("call", "meeting") else None,
                    owner_id=contact.owner_id,
                )
            )
    return found


def _tasks(ctx: Context, chance: random.Random, contacts: Sequence[Contact]) -> list[Task]:
    return [
        Task(
            title=chance.choice(ERRANDS),
            due_on=ctx.today() + dt.timedelta(days=chance.randint(-2, 12)),
            priority=chance.choice(("normal", "normal", "high", "low")),
            contact_id=contact.id,
            owner_id=contact.owner_id,
        )
        for contact in chance.sample(contacts, 30)
    ]


def _appointments(ctx: Context, chance: random.Random, people: Sequence[Contact]) -> list[Appointment]:
    found = []
    for person in chance.sample(people, 15):
        starts_at = _working_hour(ctx, chance, chance.randint(-10, 20))
        found.append(
            Appointment(
                title=f"Visit: {person.name}",
                starts_at=starts_at,
                ends_at=starts_at + dt.timedelta(hours=1),
                place=person.city,
                contact_id=person.id,
                owner_id=person.owner_id,
            )
        )
    return found


def _working_hour(ctx: Context, chance: random.Random, days: int) -> dt.datetime:
    """A moment between nine and five, so many days from today."""
    day = ctx.today() + dt.timedelta(days=days)
    return dt.datetime.combine(day, dt.time(chance.randint(9, 16), chance.choice((0, 15, 30, 45))), ctx.timezone)
