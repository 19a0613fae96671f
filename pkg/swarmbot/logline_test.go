package swarmbot

import (
	"bufio"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gobuild/pkg/supervise"
)

func TestReadLine(t *testing.T) {
	for _, tt := range []struct {
		line   string
		means  meaning
		detail string
	}{
		{"812 2026-11-24 04:00:17.097 E: _set_quarantined(Can't run from the home directory)", quarantined, "quarantined: Can't run from the home directory"},
		{"812 2026-11-24 04:02:17.097 D: State {'audio': None, 'quarantined': '> 1024 files in TEMP (/tmp)', 'ssd': []}", unwell, "quarantined: > 1024 files in TEMP (/tmp)"},
		{"812 2026-11-24 04:07:37.747 D: State {'audio': None, 'quarantined': None}", well, ""},
		{`19057 2026-11-24 09:56:17.097 D: rpc error: code = Unauthenticated desc = the bot is not in bots.cfg or wrong credentials passed: bot "x"`, noEntry, "does not know this bot"},
		{"1 2026-11-24 09:26:17.097 E: Request to https://s.example/swarming/api/v1/bot/handshake failed with HTTP status code 403: 403 Client Error", noEntry, "HTTP status 403"},
		{"19057 2026-11-24 10:06:17.097 E: Failed to grab initial auth headers", noEntry, "LUCI_MACHINE_TOKEN"},
		{"19057 2026-11-24 10:36:17.097 E: Unable to open given url, https://s.example/poll, after 1 attempts or 240 timeout.", unreachable, "cannot reach https://s.example/poll"},
		{"812 2026-11-24 04:07:39.447 I: Connected to 7419-34ac013", entered, ""},
		{"812 2026-11-24 04:06:17.097 I: Restarting machine with command sudo -n /sbin/shutdown -r now (Periodic reboot)", rebooting, "sudo -n /sbin/shutdown -r now (Periodic reboot)"},
		{"812 2026-11-24 04:07:17.097 E: post_error(Host is stuck rebooting for: x)", noReboot, "does not come"},
		{"812 2026-11-24 04:07:37.447 I: importing bot_main: /home/s/.swarming/swarming_bot.2.zip", ownUpdate, "/home/s/.swarming/swarming_bot.2.zip"},
		{"Found a previous bot, 4711 rebooting", secondBot, "4711"},
		{"ModuleNotFoundError: No module named 'x'", complaint, "No module named 'x'"},
		{"812 2026-11-24 04:07:40.447 I: Calling /swarming/api/v1/bot/poll", nothing, ""},
		{"", nothing, ""},
	} {
		means, detail := readLine(tt.line)
		if means != tt.means || !strings.Contains(detail, tt.detail) {
			t.Errorf("%s:\ngot %d, %q, want %d, %q", tt.line, means, detail, tt.means, tt.detail)
		}
	}
}

// The log of a bot that works holds nothing that would alarm anybody.
func TestReadLineHealthy(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "doctor", "testdata", "explain", "healthy-bot.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		switch means, detail := readLine(lines.Text()); means {
		case nothing, well, entered, ownUpdate, signalled:
		case rebooting: // is part of a healthy life
		default:
			t.Errorf("%s: taken for %d, %q", lines.Text(), means, detail)
		}
	}
}

func TestTail(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	write := func(flag int, text string) {
		f, err := os.OpenFile(name, flag|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString(text)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(os.O_APPEND, "before\n")
	tail := newTail(name)
	defer tail.close()
	var got []string
	see := func(line string) { got = append(got, line) }
	want := func(lines ...string) {
		t.Helper()
		tail.lines(see)
		if strings.Join(got, "|") != strings.Join(lines, "|") {
			t.Errorf("got %.200q, want %q", got, lines)
		}
		got = nil
	}
	want()
	write(os.O_APPEND, "one\ntw")
	want("one")
	write(os.O_APPEND, "o\r\n")
	want("two")
	// Renamed when it is full, with a line that was not read yet.
	write(os.O_APPEND, "three\n")
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	write(os.O_APPEND, "four\n")
	want("three", "four")
	write(os.O_TRUNC, "5\n")
	want("5")
	os.Remove(name)
	want()
	write(os.O_APPEND, "six\n")
	want("six")
	// Much more than is read, and lines without end, cost no memory.
	write(os.O_APPEND, strings.Repeat("x", 3*watchMost))
	want()
	if len(tail.rest) > maxLine {
		t.Errorf("keeps %d bytes of a line", len(tail.rest))
	}
	write(os.O_APPEND, "\nlast\n")
	tail.lines(see)
	if len(got) != 2 || got[1] != "last" {
		t.Errorf("got %d lines, want 2", len(got))
	}
}

func FuzzReadLine(f *testing.F) {
	f.Add("812 2026-11-24 04:00:17.097 E: _set_quarantined(x)")
	f.Fuzz(func(t *testing.T, line string) { readLine(line) })
}

func FuzzDigest(f *testing.F) {
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if digest, err := Digest(data); err == nil && !isDigest(digest) {
			t.Errorf("digest %q", digest)
		}
	})
}

// A bot that cannot reach the server logs two lines in turn, each second: the
// one that says why stays, so that nobody's log is filled.
func TestUnreachableIsSaidOnce(t *testing.T) {
	b := &Bot{Supervisor: supervise.New(supervise.Options{Log: slog.New(slog.DiscardHandler), Getenv: func(string) string { return "" }})}
	b.saw("1 2026-11-24 10:36:16.000 E: Failed to contact for handshake, retrying in 1 sec...")
	if got := b.trouble(); got != cannotLogIn {
		t.Errorf("without a reason: %q", got)
	}
	for range 2 {
		b.saw("1 2026-11-24 10:36:17.097 E: Unable to open given url, https://s.example, [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:992)")
		b.saw("1 2026-11-24 10:36:17.099 E: Failed to contact for handshake, retrying in 1 sec...")
		if got := b.trouble(); !strings.HasPrefix(got, "the bot cannot reach https://s.example, [SSL: CERTIFICATE_VERIFY_FAILED]") {
			t.Errorf("got %q", got)
		}
	}
	b.saw("1 2026-11-24 10:36:18.000 I: Connected to https://s.example")
	if got := b.trouble(); got != "" {
		t.Errorf("once let in: %q", got)
	}
}
