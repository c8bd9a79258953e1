"""An address of the API that takes a value of a type that JSON does not have."""

from comptoir.toolkit import Manifest, Parameter, Route, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [Route("GET", "/calls", lambda ctx, values: [], "base.contact.read", takes=(Parameter("since", complex),))]
