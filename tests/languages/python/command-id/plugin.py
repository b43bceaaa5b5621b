"""Refuses commands without an id of bounded length."""

import json

from bridge_telemetry_plugin.json_schemas import Schema
from bridge_telemetry_plugin.patterns import Pattern
from bridge_telemetry_plugin.validator import Validator, export


class CommandId(Validator):
    name = "command-id"
    event_types = ["COMMAND_*"]
    places = ["/command_id"]
    config = {"longest": 64, "forbidden": "", "schema": ""}

    def start(self):
        self.forbidden = Pattern(self.config["forbidden"]) if self.config["forbidden"] else None
        self.schema = Schema(self.config["schema"]) if self.config["schema"] else None

    def validate_event(self, event):
        (command_id,) = event.values
        if not isinstance(command_id, str):
            event.reject("bad_command", "/data", "the command has no id")
        elif len(command_id) > self.config["longest"]:
            event.reject("too_long", "/data/command_id", "the command's id is too long")
        elif self.forbidden and self.forbidden.is_match(command_id):
            [places] = self.forbidden.find([command_id])
            start, end = places[-1]
            found = json.dumps(command_id[start:end], ensure_ascii=False)
            event.reject("bad_command_id", "/data/command_id", f"the command's id may not have {found} in it")
        elif self.schema:
            for fault in self.schema.check([event.row], 1):
                event.reject("bad_command", f"/data{fault.path}", fault.message)


Lifecycle, Validation = export(CommandId)
