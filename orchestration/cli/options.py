"""Options that several commands share."""

from typing import Annotated

from cyclopts import Parameter

# for parameters of another name: `all` is a built-in function
All = Annotated[bool, Parameter(name="--all")]
