package coordinator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gobuild/pkg/buildlet"
)

// freezer is a TCP proxy that can stop passing bytes on: it swallows them and
// keeps the connections open, as a dead NAT router does.
type freezer struct {
	addr   string
	frozen atomic.Bool
}

func newFreezer(t *testing.T, to string) *freezer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z := &freezer{addr: ln.Addr().String()}
	var mu sync.Mutex
	var conns []net.Conn
	var work sync.WaitGroup
	pass := func(to, from net.Conn) {
		// An end is no more passed on than bytes are.
		defer func() {
			if !z.frozen.Load() {
				to.Close()
				from.Close()
			}
		}()
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if !z.frozen.Load() {
				if _, err := to.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	work.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, near, far)
			mu.Unlock()
			work.Go(func() { pass(near, far) })
			work.Go(func() { pass(far, near) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	return z
}

// joinThrough registers a machine by way of a proxy.
func (f *testFarm) joinThrough(z *freezer, hostname string, rev *buildlet.Reverse) {
	f.t.Helper()
	srv, err := buildlet.New(buildlet.Options{WorkDir: f.t.TempDir(), Log: testLog()})
	if err != nil {
		f.t.Fatal(err)
	}
	rev.Coordinator, rev.HostType, rev.Hostname = z.addr, testType, hostname
	rev.Key = func() (string, error) { return f.master.Key(testType), nil }
	rev.Dialer, rev.Log, rev.Handler = f.dialer, testLog(), srv
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		rev.Run(ctx)
	}()
	f.t.Cleanup(func() {
		cancel()
		<-ended
		srv.Close()
	})
	f.await(hostname+" is there", func() bool {
		hosts := f.pool.snapshot().Hosts
		return len(hosts) == 1 && !hosts[0].Heard.IsZero()
	})
}

// A link that is dead without having ended is cut by the coordinator.
func TestFrozenLinkIsCutHere(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: 50 * time.Millisecond, HeartbeatWait: time.Second})
	z := newFreezer(t, f.addr)
	f.joinThrough(z, "board", &buildlet.Reverse{})
	z.frozen.Store(true)
	f.await("it is evicted", func() bool { return len(f.pool.snapshot().Gone) > 0 })
	if why := f.pool.snapshot().Gone[0].Why; !strings.Contains(why, "heartbeat") {
		t.Errorf("why: %q", why)
	}
}

// And by the worker, which does not wait for the coordinator to see it.
func TestFrozenLinkIsCutThere(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: time.Hour}) // this side sees nothing
	z := newFreezer(t, f.addr)
	lost := make(chan string, 100)
	f.joinThrough(z, "board", &buildlet.Reverse{
		PingEvery: 50 * time.Millisecond, Silence: 2 * time.Second,
		OnLink: func(l buildlet.LinkState) {
			if !l.Up {
				lost <- l.Why
			}
		},
	})
	<-lost // registering
	time.Sleep(3 * time.Second)
	select {
	case why := <-lost:
		t.Fatalf("the link was lost though its pings are answered: %s", why)
	default:
	}
	z.frozen.Store(true)
	select {
	case why := <-lost:
		if !strings.Contains(why, "nothing came over the link for 2s") {
			t.Errorf("why: %q", why)
		}
	case <-time.After(patience):
		t.Fatal("the worker did not cut the link")
	}
	// When the network is back, so is the machine, in place of its dead self.
	z.frozen.Store(false)
	f.await("it is back", func() bool {
		pool := f.pool.snapshot()
		return len(pool.Gone) > 0 && len(pool.Hosts) == 1 && !pool.Hosts[0].Heard.IsZero()
	})
	if why := f.pool.snapshot().Gone[0].Why; !strings.Contains(why, "anew") && !strings.Contains(why, "link") {
		t.Errorf("why: %q", why)
	}
}

// With the defaults a half-open link is cut within 45 s.
func TestEvictionArithmetic(t *testing.T) {
	f := newFarm(t, Options{})
	o := f.opts
	// The freeze comes just after an answer: a pause, then two waits, and what
	// is between them.
	if worst := o.HeartbeatEvery + 2*o.HeartbeatWait + time.Second; worst > 45*time.Second {
		t.Errorf("a half-open link is cut after %s", worst)
	}
}

// Pings are answered, whole lines at a time, between those of the dialer.
func TestPings(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: time.Hour})
	conn, lines := f.register(f.goodHeader())
	defer conn.Close()
	go func() {
		for range 100 {
			io.WriteString(conn, "{\"command\":\"ping\"}\n{\"command\":\"dance\"}\n{\"command\":")
			io.WriteString(conn, "\"status\"}\n")
		}
	}()
	pongs := 0
	for pongs < 100 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("after %d pongs: %v", pongs, err)
		}
		switch controlCommand([]byte(line)) {
		case "pong":
			pongs++
		case "keep-alive", "conn-ready":
		default:
			t.Errorf("line %q", line)
		}
	}
}

// controlCommand returns the command of a line, or "" if that is none.
func controlCommand(line []byte) string {
	var msg struct {
		Command string `json:"command"`
	}
	if json.Unmarshal(line, &msg) != nil {
		return ""
	}
	return msg.Command
}

func FuzzLink(f *testing.F) {
	f.Add([]byte("{\"command\":\"ping\"}\n"), 3)
	f.Add([]byte("{\"command\":\"status\"}\n[]\n\n"), 1)
	f.Add([]byte("{\"command\":\"pickup-failed\"}\n{\"command\":\"dance\"}\n{\"command\":\"pickup-failed\"}"), 2)
	f.Add([]byte(strings.Repeat("x", 5000)+"\n{\"command\":\"ping\"}\n"), 100)
	f.Fuzz(func(t *testing.T, sent []byte, step int) {
		near, far := net.Pipe()
		looks := 0
		l := newLink(far)
		l.look = func() { looks++ }
		go io.Copy(io.Discard, near)
		go func() {
			near.SetWriteDeadline(time.Now().Add(patience))
			near.Write(sent)
			near.Close()
		}()
		buf := make([]byte, 1+min(max(step, 0), 8192))
		var got []byte
		for {
			n, err := l.Read(buf)
			if got = append(got, buf[:n]...); err != nil {
				break
			}
		}
		far.Close()
		var want []byte // up to the line at which the dialer hangs up
		for line := range bytes.Lines(sent) {
			if len(line) > maxControlLine {
				if got = got[:min(len(got), len(want))]; string(got) != string(want) {
					t.Errorf("the dialer got %q of %q", got, sent)
				}
				return
			}
			if controlCommand(line) != "pickup-failed" || line[len(line)-1] != '\n' {
				want = append(want, line...)
			}
		}
		if string(got) != string(want) {
			t.Errorf("the dialer got %q of %q, want %q", got, sent, want)
		}
	})
}
