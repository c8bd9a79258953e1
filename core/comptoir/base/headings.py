"""What the columns of other people's tables of contacts are called, in the six languages of the interface.

Case, accents, blanks and punctuation do not count, and a number behind a heading counts the lines: ``Phone 2``.
"""

HEADINGS = {
    "name": (
        "full name", "display name", "contact", "contact name", "customer", "customer name", "client", "client name", "account",
        "account name", "company", "company name", "organization", "organisation", "organization name", "business name",
        "nume complet", "nume și prenume", "denumire", "denumire firmă", "firma", "companie", "client nume", "nume client",
        "nume firmă", "societate", "volledige naam", "bedrijf", "bedrijfsnaam", "klant", "klantnaam", "organisatie", "relatie",
        "tam ad", "ad soyad", "şirkət", "şirkət adı", "müştəri", "müştərinin adı", "təşkilat", "име и фамилия", "фирма",
        "име на фирма", "клиент", "наименование", "компания", "организация", "imię i nazwisko", "nazwa", "firma nazwa",
        "nazwa firmy", "klient", "kontrahent", "nazwa klienta", "organizacja",
    ),
    "parent": (
        "company", "company name", "organization", "organisation", "employer", "parent company", "parent account",
        "firma", "companie", "societate", "angajator", "companie mamă", "bedrijf", "bedrijfsnaam", "organisatie", "werkgever",
        "moederbedrijf", "şirkət", "təşkilat", "фирма", "компания", "организация", "работодател", "nazwa firmy",
        "pracodawca", "spółka matka",
    ),
    "phones.number": (
        "phone", "phone number", "telephone", "telephone number", "tel", "tel no", "tel nr", "phone no", "contact number",
        "business phone", "primary phone", "main phone", "telefon", "număr de telefon", "număr telefon", "nr telefon", "nr tel",
        "telefoon", "telefoonnummer", "telefoonnr", "telefon nömrəsi", "nömrə", "əlaqə nömrəsi", "телефон", "телефонен номер",
        "тел", "номер на телефон", "numer telefonu", "nr telefonu", "telefon kontaktowy",
    ),
    "phones.mobile.number": (
        "mobile", "mobile phone", "mobile number", "cell", "cell phone", "cellphone", "gsm", "mobil", "telefon mobil",
        "număr mobil", "mobiel", "mobiele telefoon", "mobiel nummer", "mobil telefon", "mobil nömrə", "мобилен", "мобилен телефон",
        "gsm номер", "komórka", "telefon komórkowy", "numer komórkowy",
    ),
    "phones.work.number": (
        "work phone", "office phone", "telefon serviciu", "telefon birou", "telefon fix", "telefoon werk", "werktelefoon",
        "iş telefonu", "служебен телефон", "телефон в офиса", "telefon służbowy", "telefon do pracy", "telefon stacjonarny",
    ),
    "phones.home.number": (
        "home phone", "private phone", "telefon acasă", "telefon personal", "telefoon thuis", "telefoon privé", "ev telefonu",
        "домашен телефон", "telefon domowy", "telefon prywatny",
    ),
    "phones.fax.number": ("fax", "fax number", "număr fax", "faxnummer", "faks", "факс", "numer faksu"),
    "emails.address": (
        "email", "email address", "e mail address", "mail", "mail address", "adresă email", "adresă de e mail", "poștă electronică",
        "e-mailadres", "mailadres", "elektron poçt", "e poçt", "poçt ünvanı", "e-poçt ünvanı", "имейл", "и мейл", "електронна поща",
        "имейл адрес", "поща", "adres email", "adres e mail", "poczta elektroniczna", "poczta",
    ),
    "emails.work.address": (
        "work email", "business email", "email serviciu", "email werk", "zakelijk e mail", "iş e poçtu", "служебен имейл",
        "email służbowy",
    ),
    "emails.private.address": (
        "private email", "personal email", "email personal", "privé e mail", "e mail privé", "şəxsi e poçt", "личен имейл",
        "email prywatny",
    ),
    "emails.invoices.address": (
        "invoice email", "billing email", "email facturare", "email facturi", "factuur e mail", "имейл за фактури", "email do faktur",
    ),
    "addresses.street": (
        "street", "street address", "address", "address line", "address 1", "address line 1", "postal address", "stradă", "adresă",
        "adresa", "straat", "straat en huisnummer", "adres", "küçə", "ünvan", "улица", "адрес", "ulica", "ulica i numer",
    ),
    "addresses.postal_code": (
        "postal code", "postcode", "post code", "zip", "zip code", "zip postal code", "cod poștal", "cod postal", "postcode plaats",
        "poçt indeksi", "poçt kodu", "indeks", "пощенски код", "пк", "п к", "kod pocztowy", "kod",
    ),
    "city": ("town", "locality", "localitate", "localitatea", "plaats", "woonplaats", "şəhər", "град", "населено място", "miejscowość"),
    "addresses.city": (
        "city", "town", "locality", "oraș", "localitate", "localitatea", "stad", "plaats", "woonplaats", "şəhər", "град",
        "населено място", "miasto", "miejscowość",
    ),
    "addresses.region": (
        "region", "state", "state province", "province", "county", "județ", "județul", "provincie", "regio", "rayon", "vilayət",
        "област", "регион", "województwo", "powiat",
    ),
    "country": ("country region", "țară", "țara", "stat", "land", "ölkə", "държава", "страна", "kraj", "państwo"),
    "addresses.country": (
        "country", "country region", "țară", "țara", "land", "ölkə", "държава", "страна", "kraj", "państwo",
    ),
    "website": (
        "web", "web site", "homepage", "url", "site", "site web", "pagină web", "webadres", "vebsayt", "sayt", "veb sayt",
        "уебсайт", "сайт", "уеб сайт", "strona", "strona www", "www", "strona internetowa",
    ),
    "tax_number": (
        "vat", "vat id", "vat number", "vat no", "tax id", "tax no", "cui", "cif", "cod fiscal", "cod unic de înregistrare", "cod tva",
        "btw", "btw nummer", "btw nr", "vöen", "voen", "еик", "булстат", "ддс номер", "данъчен номер", "nip", "numer nip", "vat ue",
    ),
    "job_title": (
        "job", "position", "function", "role", "funcție", "funcția", "post", "functie", "beroep", "vəzifə", "длъжност", "позиция",
        "stanowisko", "funkcja",
    ),
    "salutation": ("title", "prefix", "formulă de adresare", "titlu", "aanhef", "titel", "müraciət", "обръщение", "zwrot", "tytuł"),
    "sector": (
        "industry", "branch", "line of business", "domeniu", "industrie", "domeniu de activitate", "branche", "bedrijfstak",
        "sahə", "sənaye", "отрасъл", "бранш", "дейност", "branża", "przemysł",
    ),
    "employees": (
        "number of employees", "no of employees", "employee count", "staff", "număr angajați", "angajați", "aantal medewerkers",
        "medewerkers", "işçi sayı", "işçilərin sayı", "брой служители", "служители", "liczba pracowników", "pracownicy",
    ),
    "annual_revenue": (
        "revenue", "turnover", "annual turnover", "cifră de afaceri", "venit anual", "omzet", "jaaromzet", "dövriyyə", "illik gəlir",
        "оборот", "годишен оборот", "obrót", "obroty", "przychód roczny",
    ),
    "year_established": (
        "year established", "founded in", "year founded", "anul înființării", "înființată", "opgericht", "oprichtingsjaar",
        "təsis ili", "година на основаване", "основана", "rok założenia",
    ),
    "tags": (
        "tag", "labels", "label", "keywords", "categories", "etichete", "cuvinte cheie", "trefwoorden", "etiketten", "etiketlər",
        "açar sözlər", "етикети", "ключови думи", "etykiety", "słowa kluczowe",
    ),
    "notes": (
        "note", "comment", "comments", "remarks", "description", "observații", "comentarii", "mențiuni", "opmerkingen",
        "opmerking", "notities", "omschrijving", "qeyd", "qeydlər", "təsvir", "бележки", "забележка", "коментар", "описание",
        "uwagi", "notatki", "komentarz", "opis",
    ),
}  # fmt: skip
"""The field that a column feeds, as in ``--map``; of two fields with one heading, the one that is free gets it."""
