package interop

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gobuild/pkg/swarmbot/bottest"
)

// recorder stands in for python3: it answers what run-bot wants to know of an
// interpreter, and writes down how a bot is started.
const recorder = `#!/bin/sh
case "$1" in
-c) echo "3 11 0 tls"; exit ;;
esac
{
	echo "zip $(basename "$1")"
	shift
	echo "args $*"
	echo "id $SWARMING_BOT_ID"
	echo "token $LUCI_MACHINE_TOKEN"
} > "$RECORD"
`

// The real bootstrapswarm and ours ask the same server for the bot, and start
// it in the same way.
func TestBootstrapswarm(t *testing.T) {
	const host = "linux-amd64-gopher"
	s := bottest.Start(t, bottest.Zip())
	token := bottest.TokenFile(t, host+".bots.golang.org", time.Hour)
	python := writeFile(t, "python3", recorder, 0o755)
	started := func(name string, args ...string) (map[string]string, []*http.Request) {
		t.Helper()
		home := t.TempDir()
		record := filepath.Join(home, "record")
		got := run(t, []string{
			"HOME=" + home, "RECORD=" + record, "LUCI_MACHINE_TOKEN=" + token, "SSL_CERT_FILE=" + s.CAFile,
			"PATH=" + filepath.Dir(python) + ":/usr/bin:/bin",
		}, "", name, args...)
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatalf("%s did not start the bot (exit code %d):\n%s%s", name, got.code, got.stdout, got.stderr)
		}
		if got.code != 0 {
			t.Errorf("%s: exit code %d\n%s", name, got.code, got.stderr)
		}
		how := map[string]string{}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			how[key] = value
		}
		return how, s.Seen()
	}
	theirs, theirRequests := started("bootstrapswarm", "-hostname", host, "-swarming", s.Host)
	ours, ourRequests := started("gobuild", "run-bot", "--once", "--allow-root", "--hostname", host, "--swarming", s.Host)
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("how the bot is started (-bootstrapswarm +run-bot):\n%s", diff)
	}
	if len(theirRequests) != len(ourRequests) || len(theirRequests) != 2 {
		t.Fatalf("bootstrapswarm made %d requests, run-bot %d; a redirect makes two", len(theirRequests), len(ourRequests))
	}
	for i, theirs := range theirRequests {
		ours := ourRequests[i]
		if theirs.Method != ours.Method || theirs.URL.String() != ours.URL.String() {
			t.Errorf("request %d: %s %s, ours %s %s", i, theirs.Method, theirs.URL, ours.Method, ours.URL)
		}
		if theirs.Proto != ours.Proto || theirs.Host != ours.Host || len(theirs.TransferEncoding)+len(ours.TransferEncoding) > 0 || theirs.ContentLength != ours.ContentLength {
			t.Errorf("request %d: %s to %s, length %d; ours %s to %s, length %d", i, theirs.Proto, theirs.Host, theirs.ContentLength, ours.Proto, ours.Host, ours.ContentLength)
		}
		if diff := cmp.Diff(fields(theirs.Header), fields(ours.Header)); diff != "" {
			t.Errorf("request %d, header fields (-bootstrapswarm +run-bot):\n%s", i, diff)
		}
		for name, want := range headerDiffers {
			if got := [2]string{theirs.Header.Get(name), ours.Header.Get(name)}; got != want {
				t.Errorf("request %d, %s: bootstrapswarm and run-bot send %q, want %q", i, name, got, want)
			}
		}
	}
}

// headerDiffers are the header fields in which the two differ, the real one's
// value first: they are about the link, and say nothing to Swarming.
var headerDiffers = map[string][2]string{
	"Connection": {"", "close"}, // the next call of ours is a restart away
}

// fields returns the header fields of a request, in order, apart from those in
// headerDiffers.
func fields(h http.Header) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if _, differs := headerDiffers[name]; !differs {
			list = append(list, name+": "+strings.Join(h[name], ", "))
		}
	}
	return list
}
