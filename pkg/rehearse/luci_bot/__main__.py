"""A Swarming bot that does no work (LUCI protocol, sections 9 and 10).

It starts, logs in, polls, updates and restarts itself and ends as the real one
does, and writes the same lines into its log. The value of "rehearse" in
config/config.json says what is special about a release: nothing for most
values, "crash" dies, "quarantine" takes no work.
"""

import hashlib
import http.client
import json
import os
import platform
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.parse
import uuid
import zipfile

ZIP = os.path.abspath(sys.argv[0])
DIR = os.path.dirname(ZIP)
BOT_ID = os.environ.get("SWARMING_BOT_ID", platform.node().split(".")[0].lower())
LOCK = None  # the open lock file
STOP = []  # the signal that was received


def log(level, text):
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    with open(os.path.join(DIR, "logs", "swarming_bot.log"), "a") as f:
        f.write("%d %s.%03d %s: %s\n" % (os.getpid(), stamp, now * 1000 % 1000, level, text))


def read_zip(name):
    """Returns the entries of a zip, by name."""
    with zipfile.ZipFile(name) as z:
        return {entry: z.read(entry) for entry in z.namelist()}


def digest(entries):
    """Returns a bot's version, the digest of what is in its zip."""
    h = hashlib.sha256()
    for name in sorted(entries, key=lambda n: n.encode()):
        h.update(str(len(name.encode())).encode() + name.encode())
        h.update(str(len(entries[name])).encode() + entries[name])
    return h.hexdigest()


ENTRIES = read_zip(ZIP)
VERSION = digest(ENTRIES)
CONFIG = json.loads(ENTRIES["config/config.json"].decode())


def put(data, name):
    """Writes a file in the bot's directory, all of it or nothing."""
    with open(os.path.join(DIR, name + ".new"), "wb") as f:
        f.write(data)
    os.replace(os.path.join(DIR, name + ".new"), os.path.join(DIR, name))


def become(name, *args):
    """Runs another zip in this one's place; the process stays, where it can."""
    global LOCK
    if LOCK:
        LOCK.close()
        LOCK = None
    command = [sys.executable, os.path.join(DIR, name)] + list(args)
    sys.stdout.flush()
    if os.name == "nt":
        sys.exit(subprocess.call(command))
    os.execv(sys.executable, command)


def lock():
    """Makes sure that this is the only bot in its directory."""
    global LOCK
    LOCK = open(os.path.join(DIR, "swarming.lck"), "a+")
    try:
        import fcntl

        fcntl.flock(LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return
    except OSError:
        LOCK.seek(0)
        print("Found a previous bot, %s" % LOCK.read(), flush=True)
        sys.exit(1)
    LOCK.truncate(0)
    LOCK.write(str(os.getpid()))
    LOCK.flush()


def token():
    with open(os.environ["LUCI_MACHINE_TOKEN"]) as f:
        return json.load(f)["luci_machine_token"]


class Refused(Exception):
    pass


def request(method, path, body=None):
    """Calls the server and returns status and body of the answer."""
    server = urllib.parse.urlsplit(CONFIG["server"])
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE"))
    conn = http.client.HTTPSConnection(server.hostname, server.port, timeout=10, context=context)
    try:
        conn.request(method, path, body, {
            "Content-Type": "application/json; charset=utf-8",
            "X-Luci-Machine-Token": token(),
            "X-Luci-Swarming-Bot-ID": BOT_ID,
            "Cookie": "GOOGAPPUID=%d" % (os.getpid() % 1000),
            "User-Agent": "swarming_bot/1.0.0@" + platform.node(),
        })
        resp = conn.getresponse()
        return resp.status, resp.read()
    finally:
        conn.close()


def call(name, message):
    """Makes one of the bot's calls and returns the answer."""
    path = "/swarming/api/v1/bot/" + name
    message = dict(message, dimensions={"id": [BOT_ID]}, state=state(), version=VERSION)
    status, body = request("POST", path, json.dumps(message))
    if status != 200:
        text = body.decode(errors="replace").strip()
        raise Refused("Request to %s%s failed with HTTP status code %d: %s" % (CONFIG["server"], path, status, text))
    return json.loads(body.decode())


def state():
    s = {"cwd": DIR}
    if CONFIG["rehearse"] == "quarantine":
        s["quarantined"] = "> 1024 files in TEMP (rehearsed)"
    return s


def nap(seconds):
    """Waits, and ends early when it is told to stop."""
    end = time.time() + seconds
    while not STOP and time.time() < end:
        time.sleep(0.05)


def handshake():
    """Logs in, for ever if need be, and returns the session."""
    while not STOP:
        try:
            answer = call("handshake", {"session_id": uuid.uuid4().hex})
            log("I", "Connected to %s" % answer["server_version"])
            return answer["session"]
        except Refused as e:
            log("E", str(e))
        except OSError as e:
            log("E", "Unable to open given url, %s, %s" % (CONFIG["server"], e))
        log("E", "Failed to contact for handshake, retrying in 1 sec...")
        nap(1)


def update(version):
    """Fetches another version and becomes it."""
    status, body = request("GET", "/swarming/api/v1/bot/bot_code/" + version)
    other = "swarming_bot.2.zip" if os.path.basename(ZIP) == "swarming_bot.1.zip" else "swarming_bot.1.zip"
    put(body, other)
    got = digest(read_zip(os.path.join(DIR, other)))
    if status != 200 or got != version:
        raise ValueError("the update %s came with status %d and the digest %s" % (version, status, got))
    log("I", "Updating to " + version)
    become(other, "start_bot")


def lease(session, answer):
    """Waits for work at the scheduler, and returns the task, or answer."""
    offer = call("rbe/session/update", {"session": session, "status": "OK"}).get("lease")
    if not offer:
        return answer
    return call("claim", {"session": session, "claim_id": offer["id"], "task_id": offer["payload"]["task_id"]})


def serve():
    """Polls until it is told to end."""
    session = handshake()
    rbe = False  # whether there is a session with the scheduler
    good = False
    while not STOP:
        try:
            answer = call("poll", {"session": session, "request_uuid": str(uuid.uuid4())})
            if answer["cmd"] == "rbe":
                if not rbe:
                    call("rbe/session/create", {"session": session, "bot_version": "rehearsal_swarming/" + VERSION})
                    rbe = True
                answer = lease(session, answer)
        except (Refused, OSError) as e:
            log("E", str(e))
            nap(1)
            continue
        if not good and os.path.basename(ZIP) != "swarming_bot.zip":
            with open(ZIP, "rb") as f:
                put(f.read(), "swarming_bot.zip")  # the last known good version
        good = True
        cmd = answer["cmd"]
        log("D", "%s; state %r" % (cmd, state()))
        if cmd == "update":
            update(answer["version"])
        elif cmd == "bot_restart":
            log("I", "Restarting: " + answer.get("message", ""))
            become(os.path.basename(ZIP), "start_slave", "--survive")
        elif cmd == "terminate":
            return 0
        elif cmd == "sleep":
            session = answer.get("session", session)
            nap(answer["duration"])
    log("I", "Signal was received: %d" % STOP[0])
    if session:
        try:
            if rbe:
                call("rbe/session/update", {"session": session, "status": "BOT_TERMINATING", "nonblocking": True})
            call("event", {"session": session, "event": "bot_shutdown", "message": "Signal was received"})
        except (Refused, OSError) as e:
            log("E", str(e))
    return 0


def main():
    if sys.argv[1:2] not in (["start_bot"], ["start_slave"]):
        print("unknown command %r" % sys.argv[1:], file=sys.stderr)
        return 1
    os.chdir(DIR)
    os.makedirs("logs", exist_ok=True)
    if os.path.basename(ZIP) == "swarming_bot.zip":
        shutil.copyfile(ZIP, "swarming_bot.1.zip")
        become("swarming_bot.1.zip", *sys.argv[1:])
    lock()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda num, _: STOP.append(num))
    log("I", "importing bot_main: " + ZIP)
    if CONFIG["rehearse"] == "crash":
        raise ValueError("this bot was made to die")
    return serve()


sys.exit(main())
