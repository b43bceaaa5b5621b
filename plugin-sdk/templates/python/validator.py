"""Refuses commands without an id, or with one that is too long."""

from bridge_telemetry_plugin.validator import Validator, export


class CommandId(Validator):
    name = "{{name}}"
    event_types = ["COMMAND_*"]
    places = ["/command_id"]
    config = {"longest": 64}  # in characters, as Python counts

    def validate_event(self, event):
        (command_id,) = event.values
        if not isinstance(command_id, str):
            event.reject("bad_command", "/data", "the command has no id")
        elif len(command_id) > self.config["longest"]:
            event.reject("too_long", "/data/command_id", "the command's id is too long")


Lifecycle, Validation = export(CommandId)
