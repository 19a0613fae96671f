package doctor

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// samples returns the names of the sample logs.
func samples(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/explain/*.log")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	return files
}

func explainFile(t testing.TB, file string) []Explanation {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := Explain(f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func explainText(t testing.TB, text string) []Explanation {
	t.Helper()
	got, err := Explain(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func ids(list []Explanation) []string {
	ids := []string{}
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

// render is the form of the golden files: what a reader would look at.
func render(list []Explanation) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "line %d, %d times: %s (%s; %s)\n  %s\n  text:   %s\n  cause:  %s\n  remedy: %s\n", e.Line, e.Count, e.ID, e.Program, e.Section, e.Title, e.Text, e.Cause, e.Remedy)
	}
	return b.String()
}

func TestExplainSamples(t *testing.T) {
	for _, file := range samples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got := render(explainFile(t, file))
			golden := strings.TrimSuffix(file, ".log") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("not as in %s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

// No row of the table is there without a log that shows it.
func TestEveryCauseHasASample(t *testing.T) {
	seen := make(map[string]bool)
	for _, file := range samples(t) {
		for _, id := range ids(explainFile(t, file)) {
			seen[id] = true
		}
	}
	for _, c := range Causes() {
		if !seen[c.ID] {
			t.Errorf("%s is in no sample", c.ID)
		}
	}
}

func TestTableIsWellFormed(t *testing.T) {
	if n := len(causeTable()); n < 45 || n > 64*len(rowSet{}) {
		t.Fatalf("the table has %d rows; %d fit a rowSet", n, 64*len(rowSet{}))
	}
	programs := make(map[string]bool)
	for _, c := range causeTable() {
		programs[c.program] = true
	}
	seen := make(map[string]bool)
	for _, c := range causeTable() {
		if seen[c.id] {
			t.Errorf("%s is there twice", c.id)
		}
		seen[c.id] = true
		for name, s := range map[string]string{"id": c.id, "program": c.program, "section": c.section, "title": c.title, "cause": c.cause, "remedy": c.remedy} {
			if s == "" || s != strings.TrimSpace(s) {
				t.Errorf("%s: %s is %q", c.id, name, s)
			}
		}
		if strings.Trim(c.id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("%q is not in kebab case", c.id)
		}
		if !strings.HasPrefix(c.section, "LUCI protocol, section ") && !strings.HasPrefix(c.section, "build protocol, section ") {
			t.Errorf("%s: section %q", c.id, c.section)
		}
		for _, p := range c.general {
			if !programs[p] {
				t.Errorf("%s yields to %q, a program without causes", c.id, p)
			}
		}
		for _, m := range placeholder.FindAllStringSubmatch(c.cause+c.remedy, -1) {
			for name := range strings.SplitSeq(m[1], ",") {
				if c.pattern.SubexpIndex(name) < 0 {
					t.Errorf("%s speaks of {%s}, which its pattern does not name", c.id, name)
				}
			}
		}
		for _, name := range c.pattern.SubexpNames() {
			if name != "" && !strings.Contains(placeholderNames(c.cause+c.remedy), ","+name+",") {
				t.Errorf("%s: nobody speaks of what the pattern names %s", c.id, name)
			}
		}
		re, err := syntax.Parse(c.pattern.String(), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if lits := requiredLiterals(re.Simplify()); shortestLen(lits) < 5 {
			t.Errorf("%s: its literals %q are too short to be rare", c.id, lits)
		}
	}
}

func placeholderNames(text string) string {
	names := ","
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names += m[1] + ","
	}
	return names
}

func TestCausesNeedNoLog(t *testing.T) {
	for _, c := range Causes() {
		if strings.ContainsAny(c.Cause+c.Remedy, "{|}") {
			t.Errorf("%s: %s %s", c.ID, c.Cause, c.Remedy)
		}
	}
}

// The prefixes and forms in which one and the same line comes.
func TestExplainForms(t *testing.T) {
	const line = `2026/11/24 04:07:34 unable to read file "/var/lib/luci_machine_tokend/token.json": open /var/lib/luci_machine_tokend/token.json: no such file or directory`
	want := []string{"bootstrap-no-token-file"}
	utf16 := func(bigEndian bool, s string) string {
		var b bytes.Buffer
		for _, r := range "\ufeff" + s {
			if bigEndian {
				b.Write([]byte{byte(r >> 8), byte(r)})
			} else {
				b.Write([]byte{byte(r), byte(r >> 8)})
			}
		}
		return b.String()
	}
	forms := map[string]string{
		"bare":           line,
		"crlf":           "\r\n" + line + "\r\n",
		"bom":            "\ufeff" + line,
		"journald":       "Nov 24 04:07:34 bob bootstrapswarm[812]: " + line + "\n",
		"syslog":         "<13>1 2026-11-24T04:07:34Z bob bootstrapswarm 812 - - " + line + "\n",
		"docker":         `{"log":` + fmt.Sprintf("%q", line+"\n") + `,"stream":"stderr","time":"2026-11-24T04:07:34Z"}` + "\n",
		"compose":        "swarm-1  | " + line + "\n",
		"quoted twice":   fmt.Sprintf("%q", fmt.Sprintf("%q", line)),
		"colours":        "\x1b[31;1m" + strings.Replace(line, "unable to", "unable\x1b[0m to", 1) + "\x1b[K\n",
		"utf-16le":       utf16(false, "häuser\r\n"+line+"\r\n"),
		"utf-16be":       utf16(true, "häuser\r\n"+line+"\r\n"),
		"utf-16 no mark": strings.TrimPrefix(utf16(false, line+"\r\n"), "\xff\xfe"),
		"mixed":          "plain\n" + strings.TrimPrefix(utf16(false, line+"\r\n"), "\xff\xfe"),
		"after garbage":  "\xff\xfa\x00\x01\xc3\x28\n" + line + "\n",
		"long line":      strings.Repeat("x ", 100_000) + line + strings.Repeat(" y", 100_000) + "\n",
	}
	for name, text := range forms {
		t.Run(name, func(t *testing.T) {
			got := explainText(t, text)
			if diff := cmp.Diff(want, ids(got)); diff != "" {
				t.Fatalf("-want +got:\n%s", diff)
			}
			if got[0].Count != 1 || len(got[0].Text) > excerptMax || !strings.Contains(got[0].Text, "unable to read file") {
				t.Errorf("got %+v", got[0])
			}
			if !strings.Contains(got[0].Cause, "/var/lib/luci_machine_tokend/token.json does not exist") {
				t.Errorf("cause does not name the file: %s", got[0].Cause)
			}
		})
	}
}

func TestExplainCountsAndOrders(t *testing.T) {
	got := explainText(t, "fine\nsudo: a password is required\nx: no space left on device\nsudo: a password is required\n")
	var short []string
	for _, e := range got {
		short = append(short, fmt.Sprintf("%s line %d count %d", e.ID, e.Line, e.Count))
	}
	want := []string{"bot-sudo-password line 2 count 2", "disk-full line 3 count 1"}
	if diff := cmp.Diff(want, short); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What says only that something failed is left out where the reason stands
// beside it, and is reported where it does not.
func TestGeneralCauses(t *testing.T) {
	const (
		failed = "2026/06/28 18:16:33 command execution /usr/bin/python3 /home/swarming/.swarming/swarming_bot.zip start_bot: exit status 1\n"
		why    = "AttributeError: module 'pkgutil' has no attribute 'get_loader'\n"
		quiet  = "nothing of interest\n"
	)
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"alone", failed, []string{"bootstrap-bot-failed"}},
		{"reason before", why + quiet + failed, []string{"bot-python-too-new"}},
		{"reason after", failed + quiet + why, []string{"bot-python-too-new"}},
		{"reason long before", why + strings.Repeat(quiet, 2*linesBefore) + failed, []string{"bot-python-too-new", "bootstrap-bot-failed"}},
		{"reason long after", failed + strings.Repeat(quiet, 2*linesAfter) + why, []string{"bootstrap-bot-failed", "bot-python-too-new"}},
		{"another program's reason", "stage0: network didn't become reachable\n" + failed, []string{"stage0-no-network", "bootstrap-bot-failed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ids(explainText(t, tt.text))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	// Only the one beside the reason is taken back.
	got := explainText(t, failed+strings.Repeat(quiet, 100)+failed+why)
	if len(got) != 2 || got[0].ID != "bootstrap-bot-failed" || got[0].Count != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestSpecificWins(t *testing.T) {
	for text, want := range map[string]string{
		`[E] Failed to generate a new token - token server error UNTRUSTED_CERTIFICATE - invalid or untrusted certificate`:                                                "tokend-untrusted",
		`[E] Failed to generate a new token - token server error 99 - x`:                                                                                                  "tokend-other-answer",
		`[E] Failed to generate a new token - something new`:                                                                                                              "tokend-failed",
		`non-200 OK status code: 403 Forbidden body: "rpc error: the caller \"bot:a.bots.golang.org\" doesn't have server-level permission \"swarming.pools.createBot\""`: "bootstrap-wrong-bot",
		`non-200 OK status code: 403 Forbidden body: "<html>"`:                                                                                                            "bootstrap-forbidden",
		`non-200 OK status code: 500 Oops body: ""`:                                                                                                                       "bootstrap-status",
		`Failed to save token file - open /t/a.json.1_2_3.tmp: no space left on device`:                                                                                   "disk-full",
		`Failed to save token file - rename /t/a.json.1_2_3.tmp /t/a.json: file exists`:                                                                                   "tokend-save-failed",
	} {
		if got := ids(explainText(t, text)); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestExplainReadError(t *testing.T) {
	r := io.MultiReader(strings.NewReader("sudo: a password is required\nnetwork is unrea"), iotest.ErrReader(io.ErrClosedPipe))
	got, err := Explain(r)
	if err != io.ErrClosedPipe || !slices.Equal(ids(got), []string{"bot-sudo-password"}) {
		t.Errorf("Explain = %q, %v", ids(got), err)
	}
}

func TestExplainNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "\xff\xfe", "\xfe\xff\x00", "{", `{"tokend_version"`, strings.Repeat("\x00", 1<<20), strings.Repeat("a", 1<<20)} {
		got := explainText(t, text)
		if got == nil || len(got) != 0 {
			t.Errorf("Explain(%.20q) = %+v, want an empty list", text, got)
		}
	}
}
