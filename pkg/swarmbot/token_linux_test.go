package swarmbot_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/supervise"
	"gobuild/pkg/swarmbot"
	"gobuild/pkg/swarmbot/bottest"
)

// A bot whose token is kept by the same program waits for the first one; a
// token that ends without another is trouble, until there is one.
func TestTokenKept(t *testing.T) {
	o := pythonOptions(t)
	o.TokenKept = true
	good := o.TokenFile
	o.TokenFile = good + ".later"
	r := run(t, o, "idle")
	r.await("waits", func(st supervise.Status) bool {
		return st.State == supervise.Starting && st.Why == "waiting for a machine token: the token daemon is at it"
	})
	failed := machinetoken.Result{Outcome: "GRPC_ERROR_7", Err: hint.With(errors.New("the server says no"), "ask it why")}
	r.TokenReported(swarmbot.NewTokenReport(failed))
	r.await("says why it waits", func(st supervise.Status) bool {
		return st.State == supervise.Starting && st.Why == "waiting for a machine token: the server says no; ask it why"
	})
	if err := os.Rename(good, o.TokenFile); err != nil {
		t.Fatal(err)
	}
	fresh := machinetoken.Result{Outcome: machinetoken.OutcomeSuccess, Expiry: time.Now().Add(time.Hour), NextUpdate: time.Now().Add(time.Minute)}
	r.TokenReported(swarmbot.NewTokenReport(fresh))
	r.await("runs", supervise.Status.Up)

	// Not renewed, but good for a while: the page says so, and the bot is well.
	failed.Expiry = time.Now().Add(time.Hour)
	r.TokenReported(swarmbot.NewTokenReport(failed))
	fact := func(st supervise.Status, metric string) float64 {
		i := slices.IndexFunc(st.Facts, func(f supervise.Fact) bool { return f.Metric == metric })
		if i < 0 {
			t.Fatalf("no fact with the metric %s: %+v", metric, st.Facts)
		}
		return st.Facts[i].Value
	}
	st := r.await("well", supervise.Status.Up)
	if fact(st, "token_run_success") != 0 || fact(st, "token_expiry_seconds") != float64(failed.Expiry.Unix()) {
		t.Errorf("facts %+v", st.Facts)
	}
	// It ends by and by, without a word of the daemon's.
	failed.Expiry = time.Now().Add(2 * time.Second)
	r.TokenReported(swarmbot.NewTokenReport(failed))
	st = r.await("in trouble", func(st supervise.Status) bool { return st.Trouble != "" })
	if !strings.HasPrefix(st.Trouble, "the machine token ended at 20") || !strings.HasSuffix(st.Trouble, "gets no other: the server says no; ask it why") {
		t.Errorf("trouble %q", st.Trouble)
	}
	r.TokenReported(swarmbot.NewTokenReport(fresh))
	st = r.await("well again", supervise.Status.Up)
	if fact(st, "token_run_success") != 1 {
		t.Errorf("facts %+v", st.Facts)
	}
}

// The wait for a token has an end, which names what the daemon said last.
func TestTokenKeptInVain(t *testing.T) {
	o := options(t, bottest.Start(t, bottest.Zip()))
	o.Python = bottest.Python(t)
	o.TokenKept, o.TokenWait = true, 100*time.Millisecond
	o.TokenFile += ".never"
	bot, err := swarmbot.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer bot.Close()
	if err := bot.RunOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "no machine token after 100ms") || !strings.Contains(hint.Of(err), "has not answered yet") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
	bot2, err := swarmbot.New(withDir(o, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer bot2.Close()
	bot2.TokenReported(swarmbot.NewTokenReport(machinetoken.Result{Outcome: "X", Err: hint.With(errors.New("no"), "why not?")}))
	if err := bot2.RunOnce(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "no machine token after 100ms: no") || hint.Of(err) != "why not?" {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
}

func withDir(o swarmbot.Options, dir string) swarmbot.Options {
	o.WorkDir = dir
	return o
}

// Lines that are no reports are passed over.
func TestReadTokenReports(t *testing.T) {
	var got []string
	text := "{half\n\n[]\n{\"at\":\"2026-01-02T03:04:05Z\",\"outcome\":\"ONE\"}\n{\"outcome\":\"no time\"}\n" +
		`{"at":"2026-01-02T03:04:05Z","outcome":"TWO","error":"e"}`
	swarmbot.ReadTokenReports(strings.NewReader(text), func(r swarmbot.TokenReport) { got = append(got, r.Outcome+r.Error) })
	if want := []string{"ONE", "TWOe"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// A line without end is no report, and ends it.
	swarmbot.ReadTokenReports(strings.NewReader(strings.Repeat("x", 1<<20)), func(swarmbot.TokenReport) { t.Error("a report") })
}

// A signal ends the wait for a token as every other stage.
func TestStopWhileWaitingForToken(t *testing.T) {
	o := pythonOptions(t)
	o.TokenKept = true
	o.TokenFile += ".never"
	r := run(t, o, "idle")
	r.await("waits", func(st supervise.Status) bool { return strings.HasPrefix(st.Why, "waiting for a machine token: ") })
	if took := r.end(); took > patience/2 {
		t.Errorf("it took %s", took)
	}
	if len(r.numbers("starts")) > 0 {
		t.Error("the bot was started")
	}
}
