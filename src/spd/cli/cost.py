"""`spd cost`: parameters and multiply-adds of a model."""

from typing import Annotated

import typer


def cost(
    size: Annotated[
        str, typer.Option("--size", help="Image size HEIGHTxWIDTH in pixels, multiples of 14.")
    ] = "350x476",
    recipe: Annotated[str, typer.Option("--recipe", help="Recipe whose model to count.")] = (
        "nyu_v15_2"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count parameters and multiply-adds of a model, exactly, from its configuration.

    Example: `spd cost --size 350x476`
    """
    from spd.cost import cost_command
    from spd.recipes import recipe as find_recipe

    height, cross, width = size.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit()):
        raise typer.BadParameter(f"--size {size}: write HEIGHTxWIDTH, such as 350x476")
    print(cost_command(find_recipe(recipe).model, (int(height), int(width)), as_json))
