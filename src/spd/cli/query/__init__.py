"""What `spd query` does: first what can be refused at once, then what loads torch and a model."""

from spd.cli.query.lens import parse_camera as parse_camera
from spd.cli.query.points import parse_point as parse_point
from spd.cli.query.points import read_points as read_points
from spd.cli.query.questions import Typed as Typed
from spd.cli.query.questions import parse_fields as parse_fields
from spd.cli.query.run import query_image as query_image
from spd.cli.query.written import Written as Written
