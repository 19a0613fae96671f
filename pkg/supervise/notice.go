package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// noticeWait bounds each try to give a notice.
const noticeWait = time.Minute

// noticeTries is how often that is tried, noticePause apart.
const (
	noticeTries = 3
	noticePause = 10 * time.Second
)

// Notices tell an owner once that his program is dead, and once that it works
// again. The zero value tells nobody.
type Notices struct {
	// Command is a command line for the system's shell. It gets
	// GOBUILD_EVENT (dead or recovered), GOBUILD_NAME, GOBUILD_STATE,
	// GOBUILD_WHY and GOBUILD_SINCE (RFC 3339) in its environment, and the
	// notice as text on its standard input.
	Command string
	// URL is sent a POST with the Notice as JSON.
	URL string
	// After is how long the program has to be dead.
	After time.Duration
	// HTTP makes the calls to URL; nil means http.DefaultClient.
	HTTP *http.Client

	queue chan Notice
	dead  bool // the owner was told
}

// Notice is what an owner is told.
type Notice struct {
	// Event is "dead" or "recovered".
	Event string `json:"event"`
	Name  string `json:"name"`
	Host  string `json:"host"`
	State State  `json:"state"`
	Why   string `json:"why"`
	// Since is when the program stopped working well.
	Since time.Time `json:"since"`
	// Text says all of it in a line, for those who show only text.
	Text string `json:"text"`
}

// start begins to send what is queued, one after the other; stop ends that,
// after a moment for what is on its way.
func (n *Notices) start(log *slog.Logger) (stop func()) {
	n.queue = make(chan Notice, 16)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for notice := range n.queue {
			if err := n.send(ctx, notice); err != nil {
				log.Error("the notice could not be given", "event", notice.Event, "err", err)
			} else {
				log.Info("notice given", "event", notice.Event)
			}
		}
	}()
	return func() {
		close(n.queue)
		grace := time.AfterFunc(5*time.Second, cancel)
		<-done
		grace.Stop()
		cancel()
	}
}

// look queues a notice if there is something to tell.
func (n *Notices) look(status Status, now time.Time) {
	if n.Command == "" && n.URL == "" || status.State == Stopping || status.State == Stopped {
		return
	}
	down := !status.DownSince.IsZero()
	notice := Notice{Name: status.Name, State: status.State, Since: status.DownSince, Why: status.Why}
	notice.Host, _ = os.Hostname()
	if status.Trouble != "" {
		notice.Why = status.Trouble
	} else if notice.Why == "" {
		notice.Why = status.LastEnd
	}
	switch {
	case down && !n.dead && now.Sub(status.DownSince) >= n.After:
		n.dead, notice.Event = true, "dead"
		notice.Text = fmt.Sprintf("%s on %s has done no work since %s: %s", notice.Name, notice.Host, notice.Since.Format(time.RFC1123), notice.Why)
	case !down && n.dead:
		n.dead, notice.Event, notice.Since, notice.Why = false, "recovered", status.Since, ""
		notice.Text = fmt.Sprintf("%s on %s works again since %s", notice.Name, notice.Host, notice.Since.Format(time.RFC1123))
	default:
		return
	}
	select {
	case n.queue <- notice:
	default: // the last ones hang; this one would come too late
	}
}

// send gives a notice by all ways there are.
func (n *Notices) send(ctx context.Context, notice Notice) error {
	var err error
	for try := range noticeTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return err
			case <-time.After(noticePause):
			}
		}
		if err = n.try(ctx, notice); err == nil {
			return nil
		}
	}
	return err
}

func (n *Notices) try(ctx context.Context, notice Notice) error {
	ctx, cancel := context.WithTimeout(ctx, noticeWait)
	defer cancel()
	if n.Command != "" {
		if err := n.run(ctx, notice); err != nil {
			return err
		}
	}
	if n.URL != "" {
		return n.post(ctx, notice)
	}
	return nil
}

func (n *Notices) run(ctx context.Context, notice Notice) error {
	shell := []string{"/bin/sh", "-c"}
	switch runtime.GOOS {
	case "windows":
		shell = []string{"cmd", "/c"}
	case "plan9":
		shell = []string{"/bin/rc", "-c"}
	}
	cmd := exec.CommandContext(ctx, shell[0], append(shell[1:], n.Command)...)
	cmd.Env = append(os.Environ(), "GOBUILD_EVENT="+notice.Event, "GOBUILD_NAME="+notice.Name, "GOBUILD_STATE="+string(notice.State),
		"GOBUILD_WHY="+notice.Why, "GOBUILD_SINCE="+notice.Since.Format(time.RFC3339))
	cmd.Stdin = strings.NewReader(notice.Text + "\n")
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("notify command: %w: %.200s", err, bytes.TrimSpace(out))
	}
	return nil
}

func (n *Notices) post(ctx context.Context, notice Notice) error {
	body, err := json.Marshal(notice)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("notify URL: it is none that can be called") // it may hold a secret
	}
	req.Header.Set("Content-Type", "application/json")
	client := n.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the URL, which may hold a secret
		}
		return fmt.Errorf("notify URL: %w", err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("notify URL: %s: %s", resp.Status, text)
	}
	return nil
}
