"""Points at a table of a plugin that it does not require."""

from sqlalchemy.orm import Mapped

from comptoir.toolkit import Manifest, Record, RecordType, hookimpl, reference, text

manifest = Manifest("Broken")


class Thing(Record):
    __tablename__ = "undeclared_need_thing"
    __record__ = RecordType("Thing", "Things", path="things")
    name: Mapped[str] = text("Name", title=True, required=True)
    product_id: Mapped[int | None] = reference("Product", "catalog_product", ondelete="SET NULL")


@hookimpl
def contribute():
    return [Thing]
