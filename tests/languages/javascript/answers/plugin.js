// Posts each alert's key, and says what came back.
import { delivered, exportSink, send } from "bridge-telemetry-plugin/sink";

export const { lifecycle, delivery } = exportSink({
  name: "answers",
  description: "Posts each alert's key, and says what came back",

  deliver({ key }) {
    const answer = send("POST", "https://answers.example.com/keys", { json: { key }, headers: { "X-Key": "1" } });
    return delivered(`${answer.status} ${answer.headers["x-sent"]} ${answer.body.length} ${answer.text()}`);
  },
});
