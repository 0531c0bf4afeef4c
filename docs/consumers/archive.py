#!/usr/bin/env python3
"""archive.py BROKER[:PORT] DATABASE [NAME] [GATEWAYS]: keeps what gateways send, each reading once. DATABASE is a file of
SQLite, or "dbname=... host=..." of PostgreSQL. NAME is its client id ("archive"), GATEWAYS the levels of the topics before
/telemetry ("+/+"). Needs paho-mqtt and, for PostgreSQL, psycopg2. A message that it cannot read, and a database that does not
take it, end it, and the message stays with the broker."""
import gzip, json, os, sqlite3, sys
import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties

host, _, port = sys.argv[1].partition(":")
name, gateways = (sys.argv[3:] + ["archive", "+/+"][len(sys.argv) - 3:])[:2]
if "=" in sys.argv[2]:
    import psycopg2
    db, mark = psycopg2.connect(sys.argv[2]), "%s"
else:
    db, mark = sqlite3.connect(sys.argv[2], check_same_thread=False), "?"
for statement in open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "schema.sql")).read().split(";\n"):
    db.cursor().execute(statement)
db.commit()

def put(table, *row):
    db.cursor().execute(f"INSERT INTO {table} VALUES ({','.join([mark] * len(row))}) ON CONFLICT DO NOTHING", row)

def telemetry(d):
    for r in d["readings"]:
        put("readings", d["gateway"], d["run"], d["sensor"], r["seq"], r.get("seq_to"), r["ts"], r.get("up"),
            json.dumps(r["fields"]), json.dumps(r["bad"]) if "bad" in r else None)

def event(kind, d):
    put("events", d["gateway"], d["run"], d["n"], d["ts"], json.dumps(d))
    if kind == "boot" and "previous" in d:
        p = d["previous"]
        put("run_ends", d["gateway"], d["run"], p["run"], p["end"], p["events"])
        for sensor, last in p["last"].items():
            put("run_marks", p["run"], sensor, last)
    for l in d["loss"] if kind == "loss" else []:
        if l["count"] == l["last"] - l["first"] + 1:  # else it does not say which ones of the range
            put("losses", d["gateway"], l["run"], l["sensor"], l["first"], l["last"], l["reason"])
    for run in d["runs"] if kind == "clock" else []:
        put("clocks", run, d["zero"])

def message(_client, _data, m):
    text = gzip.decompress(m.payload) if m.payload[:2] == b"\x1f\x8b" else m.payload
    kind = m.topic.split("/")[-1]
    telemetry(json.loads(text)) if "/telemetry/" in m.topic else event(kind, json.loads(text))
    db.commit()  # before the acknowledgement, so that a crash loses nothing

def subscribe(client, *_):
    client.subscribe([(gateways + topic, 1) for topic in ("/telemetry/+", "/telemetry/+/+", "/events/+")])

api = [mqtt.CallbackAPIVersion.VERSION1] if hasattr(mqtt, "CallbackAPIVersion") else []  # paho-mqtt 2
client = mqtt.Client(*api, client_id=name, protocol=mqtt.MQTTv5)
client.on_message, client.on_connect = message, subscribe
keep = Properties(mqtt.CONNECT >> 4)
keep.SessionExpiryInterval = 30 * 86400  # the broker keeps what comes while this program is away
client.connect(host, int(port or 1883), clean_start=False, properties=keep)
client.loop_forever()
