//! What a plugin asks for and what it is granted: only both is effective.

use std::net::TcpListener;

use super::super::running::wait_for;
use super::*;

/// A package of `webhook` that asks for exactly this.
fn asking(place: &Place, grants: &str) -> PathBuf {
    let folder = package(place, "webhook");
    let file = folder.join("plugin.toml");
    let text = fs::read_to_string(&file).unwrap();
    let head = text.split("\n[").next().unwrap();
    fs::write(&file, format!("{head}\n{grants}")).unwrap();
    folder
}

/// A receiver of this address, which the configuration grants.
fn configured(place: &Place, address: std::net::SocketAddr) {
    let text = format!(
        r#"
[plugins]
directory = "plugins"
[plugins.settings.threshold]
config = {{ rules = [{{ metric = "load", comparison = ">", threshold = 5 }}] }}
[alerting]
default_receivers = ["page"]
[alerting.receivers.page]
plugin = "webhook"
config = {{ url = "http://{address}/alerts", headers = {{ authorization = "${{secret:TOKEN}}" }} }}
[alerting.receivers.page.grants]
http = ["http://{address}"]
allow_private = true
secrets = {{ TOKEN = {{ file = "token" }} }}
"#
    );
    place.write("c.toml", &text);
    place.write("token", "hunter2\n");
}

const ORIGIN: &str = "[[grants.http]]\norigin = \"https://pages.example.com\"\nreason = \"pages\"\n";

#[test]
fn what_the_manifest_does_not_ask_for_is_not_given() {
    let place = Place::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let address = server.local_addr().unwrap();
    configured(&place, address);
    place.installed(&package(&place, "threshold"));
    place.installed(&asking(&place, ORIGIN));
    let running = Running::of(place.command(&["run", "--no-system", "--config", "c.toml"]));
    let (_, body) = place.json(&["plugin", "list"]);
    let page = body["plugins"].as_array().unwrap().iter().find(|one| one["name"] == "page").unwrap().clone();
    let refused = json!({"value": format!("http://{address}"), "requested": false, "configured": true, "effective": false});
    let asked = json!({"value": "https://pages.example.com", "requested": true, "configured": false, "effective": false, "reason": "pages"});
    assert_eq!(page["grants"]["http"], json!([refused, asked]), "{page}");
    let private = &page["grants"]["private_addresses"];
    assert_eq!((&private["configured"], &private["effective"]), (&json!(true), &json!(false)));
    assert_eq!(page["grants"]["secrets"][0]["effective"], false);
    assert_eq!(place.json(&["record", "metric", "load", "9"]).0, 0);
    let letter = wait_for("a dead letter", || {
        let (_, body) = place.json(&["alerts", "dead-letters"]);
        body["dead_letters"].as_array().unwrap().first().cloned()
    });
    assert_eq!(letter["receiver"], "page", "{letter}");
    assert!(server.accept().is_err(), "no connection was made");
    assert_eq!(running.terminate(), 0);
    let log = place.read("runtime/logs/bridge_telemetry.log");
    for grant in [&format!("http http://{address}"), "private_addresses", "secret TOKEN"] {
        assert!(
            log.contains(&format!(
                "the grant {grant} is configured, but the plugin's manifest does not request it"
            )),
            "{log}"
        );
    }
}

#[test]
fn what_is_asked_for_and_granted_is_given() {
    let place = Place::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    configured(&place, server.local_addr().unwrap());
    place.installed(&package(&place, "threshold"));
    let installed = place.installed(&package(&place, "webhook"));
    assert_eq!(installed["grants"]["http"][0]["effective"], false, "nothing is granted by installing");
    let running = Running::of(place.command(&["run", "--no-system", "--config", "c.toml"]));
    let (_, body) = place.json(&["plugin", "list"]);
    let page = body["plugins"].as_array().unwrap().iter().find(|one| one["name"] == "page").unwrap().clone();
    for grant in
        [&page["grants"]["http"][0], &page["grants"]["private_addresses"], &page["grants"]["secrets"][0]]
    {
        assert_eq!(
            (&grant["requested"], &grant["configured"], &grant["effective"]),
            (&json!(true), &json!(true), &json!(true)),
            "{page}"
        );
        assert!(!grant["reason"].as_str().unwrap().is_empty());
    }
    assert_eq!(place.json(&["record", "metric", "load", "9"]).0, 0);
    let (mut connection, _) = server.accept().unwrap();
    let mut request = vec![0; 4_096];
    let mut read = 0;
    while !String::from_utf8_lossy(&request[..read]).contains("hunter2") {
        let more = std::io::Read::read(&mut connection, &mut request[read..]).unwrap();
        assert!(more > 0, "{}", String::from_utf8_lossy(&request[..read]));
        read += more;
    }
    drop(connection);
    assert_eq!(running.terminate(), 0);
}

#[test]
fn room_in_the_store_is_what_is_asked_for_and_granted() {
    let place = Place::new();
    let folder = asking(&place, "[grants.key_value]\nbytes = \"1 MiB\"\nreason = \"what was sent\"\n");
    let installed = place.installed(&folder);
    let room = json!({"requested": 1 << 20, "configured": 64 << 20, "effective": 1 << 20, "reason": "what was sent"});
    assert_eq!(installed["grants"]["key_value"], room);
    place.write("c.toml", "[plugins.settings.webhook.grants]\nkey_value_bytes = \"4 KiB\"\n");
    let (_, body) = place.plugin(&["inspect", "webhook", "--config", "c.toml"]);
    assert_eq!(body["grants"]["key_value"]["effective"], 4 << 10, "{body}");
    let output = place.run(&["plugin", "inspect", "webhook", "--config", "c.toml", "--plugins", PLUGINS]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("grant         has 4096 of 1048576 requested bytes in the store: what was sent"),
        "{text}"
    );
    // Without a request there is none.
    let installed = place.installed(&asking(&place, ""));
    assert_eq!(installed["grants"]["key_value"]["effective"], 0);
}
