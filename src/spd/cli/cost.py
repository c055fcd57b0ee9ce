"""`spd cost`: parameters and multiply-adds of a model."""

from typing import Annotated

import typer

from spd.cli.options import read_size


def cost(
    size: Annotated[
        str, typer.Option("--size", help="Image size HEIGHTxWIDTH in pixels, multiples of 14.")
    ] = "350x476",
    recipe: Annotated[str, typer.Option("--recipe", help="Recipe that defines the model.")] = (
        "nyu_v15_2"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count the parameters and multiply-adds of a model exactly, from its configuration.

    Example: `spd cost --size 350x476`
    """
    from spd.cost import cost_command
    from spd.recipes import recipe as find_recipe

    print(cost_command(find_recipe(recipe).model, read_size(size), as_json))
