//go:build unix

package main

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A supervisor that stops reading, as a dead one does, does not kill its
// buildlet by the broken pipe: that ends in order, at the end of its orders.
func TestSupervisorStopsReading(t *testing.T) {
	cmd := exec.Command("gobuild", "buildlet", "--dev", "--supervised", "--coordinator=localhost:1",
		"--reverse-type=host-linux-amd64", "--health-addr=", "--workdir="+t.TempDir())
	orders, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	reports, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if line, err := bufio.NewReader(reports).ReadString('\n'); err != nil || !strings.Contains(line, `"state":"connecting"`) {
		t.Errorf("first report %q, %v", line, err)
	}
	reports.Close()
	lines := bufio.NewScanner(log)
	awaitLine := func(part string) {
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return
			}
		}
		t.Errorf("it does not log %q", part)
	}
	for _, state := range []string{"paused", "open", "paused"} {
		io.WriteString(orders, `{"availability":{"state":"`+state+`"}}`+"\n")
		awaitLine("msg=availability state=" + state)
		time.Sleep(200 * time.Millisecond) // for the report
	}
	orders.Close()
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}
