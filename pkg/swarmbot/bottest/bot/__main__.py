"""A Swarming bot that does no work: it behaves as the real one does towards
what starts it (LUCI protocol, section 9). BOT_MODE, words with commas between,
says how it goes wrong."""

import datetime
import os
import shutil
import signal
import sys
import time

ZIP = os.path.abspath(sys.argv[0])
DIR = os.path.dirname(ZIP)
MODE = os.environ.get("BOT_MODE", "idle").split(",")


def log(level, text):
    os.makedirs(os.path.join(DIR, "logs"), exist_ok=True)
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    with open(os.path.join(DIR, "logs", "swarming_bot.log"), "a") as f:
        f.write("%d %s %s: %s\n" % (os.getpid(), now, level, text))


def note(name, text):
    with open(os.path.join(DIR, name), "a") as f:
        f.write(text + "\n")


def replace_by(name):
    """Becomes a copy of this program; the process stays."""
    new = os.path.join(DIR, name)
    shutil.copyfile(ZIP, new + ".tmp")
    os.rename(new + ".tmp", new)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, new] + sys.argv[1:])


def child(own_session, deaf):
    """Starts a process that outlives this one."""
    pid = os.fork()
    if pid:
        note("children", str(pid))
        return
    if own_session:
        os.setsid()
    else:
        os.setpgid(0, 0)
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.execvp("sleep", ["sleep", "600"])


def lock():
    import fcntl

    global held
    held = open(os.path.join(DIR, "swarming.lck"), "a+")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.seek(0)
        note("second", held.read())
        print("Found a previous bot, %d rebooting" % os.getpid(), flush=True)
        time.sleep(300)
        sys.exit(1)
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()


def stop(signum, frame):
    log("I", "Signal was received: %d" % signum)
    if "slowstop" in MODE:
        time.sleep(1)
    sys.exit(0)


def main():
    if sys.argv[1:] != ["start_bot"]:
        print("unknown command %r" % sys.argv[1:], file=sys.stderr)
        return 1
    first = os.path.basename(ZIP) == "swarming_bot.zip"
    if first and "early" in MODE:
        time.sleep(600)
    if first:
        replace_by("swarming_bot.1.zip")
    lock()
    note("starts", str(os.getpid()))
    note("environment", "\n".join("%s=%s" % item for item in sorted(os.environ.items())) + "\ncwd=" + os.getcwd())
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in MODE else stop)
    signal.signal(signal.SIGINT, stop)
    log("I", "importing bot_main: " + ZIP)
    if "family" in MODE:
        child(True, False)
        child(False, True)
    for word in MODE:
        if word.startswith("exit"):
            return int(word[4:])
    if "crash" in MODE:
        raise ValueError("the bot's own error")
    if "reboot" in MODE:
        log("I", "Restarting machine with command sudo -n /sbin/shutdown -r now (Periodic reboot)")
        return 1
    if "noauth" in MODE:
        log("E", "Request to https://swarming.example/swarming/api/v1/bot/handshake failed with HTTP status code 401: 401 Client Error")
        log("E", "Failed to contact for handshake, retrying in 0 sec...")
        while not os.path.exists(os.path.join(DIR, "let-in")):
            time.sleep(0.05)
    log("I", "Connected to 7419-34ac013")
    if "quarantine" in MODE:
        log("D", "State {'cwd': '%s', 'quarantined': '> 1024 files in TEMP (/tmp)', 'ssd': []}" % DIR)
    if "update" in MODE and os.path.basename(ZIP) == "swarming_bot.1.zip":
        time.sleep(1)
        held.close()
        replace_by("swarming_bot.2.zip")
    while True:
        time.sleep(1)


sys.exit(main())
