// Package control is how an owner speaks with the supervisor that runs on his
// machine: "gobuild drain", "pause", "resume" and "status --local" through a
// socket in its state directory. What he wishes is kept there and outlives the
// supervisor.
//
// The socket speaks HTTP: GET /status answers a Status, PUT /wish takes a Wish
// and answers a Reply. Who may open the directory may ask. Where there are no
// such sockets, or the directory's name is too long for one, it is a port of
// the loopback interface, and whoever can read the token in endpoint.json may
// ask.
//
// What a worker runs has the worker's user, and so may ask too: nothing that
// belongs to that user can be kept from it. All it gains is that the machine
// takes work or does not, and who has wished it stands in the status; root is
// on its guard when it writes here.
package control

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
	"gobuild/pkg/supervise"
)

// Names in a state directory.
const (
	socketFile   = "control"
	endpointFile = "endpoint.json"
)

// maxSocketPath is how long the name of a socket may be everywhere, in bytes.
const maxSocketPath = 100

// askWait bounds one question to a supervisor.
const askWait = 10 * time.Second

// Supervisor answers what comes through the socket.
type Supervisor interface {
	// Status returns how the worker is.
	Status() supervise.Status
	// Wish returns what is wished now.
	Wish() Wish
	// SetWish keeps and carries out a wish, and says what happens now.
	SetWish(Wish) (string, error)
}

// Status is how a worker is, and what is wished of it.
type Status struct {
	Worker supervise.Status `json:"worker"`
	Wish   Wish             `json:"wish"`
}

// Reply is the answer to a Wish.
type Reply struct {
	// Text says what happens now.
	Text string `json:"text,omitempty"`
	Wish Wish   `json:"wish"`
	// Error is why the wish was refused.
	Error string `json:"error,omitempty"`
}

// endpoint is where a supervisor listens.
type endpoint struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Token   string `json:"token,omitempty"` // for what is no socket in the directory
}

// MakeDir makes a state directory that nobody else can look into.
func MakeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return hint.With(fmt.Errorf("state directory: %w", err), "let this user make it")
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return hint.With(fmt.Errorf("state directory: %w", err), "it has to belong to the user that run-bot runs as")
	}
	return nil
}

// Serve answers for s in a state directory, which the caller has locked, until
// stop is called.
func Serve(dir string, s Supervisor) (stop func(), err error) {
	ln, at, err := listen(dir)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	text, err := json.Marshal(at)
	if err == nil {
		err = atomicfile.Replace(filepath.Join(dir, endpointFile), text, 0o600)
	}
	if err != nil {
		ln.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	srv := &http.Server{
		Handler:           handler(s, at.Token),
		ReadHeaderTimeout: askWait, ReadTimeout: askWait, WriteTimeout: 2 * askWait, IdleTimeout: askWait,
		MaxHeaderBytes: 16 << 10,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(ln)
	}()
	return func() {
		// An answer that is on its way is to arrive: run-bot may end because
		// of the question.
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
		<-done
		os.Remove(filepath.Join(dir, endpointFile))
	}, nil
}

// listen opens the socket of a state directory.
func listen(dir string) (net.Listener, endpoint, error) {
	socket := filepath.Join(dir, socketFile)
	if runtime.GOOS != "plan9" && len(socket) <= maxSocketPath {
		os.Remove(socket) // of a supervisor that was killed
		// Windows before 10.1803, as Server 2016 is, has none.
		if ln, err := net.Listen("unix", socket); err == nil {
			if err := os.Chmod(socket, 0o600); err != nil {
				ln.Close()
				return nil, endpoint{}, err
			}
			return ln, endpoint{Network: "unix", Address: socket}, nil
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, endpoint{}, err
	}
	return ln, endpoint{Network: "tcp", Address: ln.Addr().String(), Token: rand.Text()}, nil
}

func handler(s Supervisor, token string) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, code int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, Status{s.Status(), s.Wish()})
	})
	mux.HandleFunc("PUT /wish", func(w http.ResponseWriter, r *http.Request) {
		var wish Wish
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(&wish)
		if err == nil {
			err = wish.Check(time.Now())
		}
		if err != nil {
			answer(w, http.StatusBadRequest, Reply{Wish: s.Wish(), Error: err.Error()})
			return
		}
		text, err := s.SetWish(wish)
		if err != nil {
			answer(w, http.StatusInternalServerError, Reply{Wish: s.Wish(), Error: err.Error()})
			return
		}
		answer(w, http.StatusOK, Reply{Text: text, Wish: s.Wish()})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get("Authorization")
		if token != "" && subtle.ConstantTimeCompare([]byte(given), []byte("Bearer "+token)) != 1 {
			http.Error(w, "the token of endpoint.json is wanted", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ErrNotRunning is the error for a state directory that no supervisor answers
// from.
var ErrNotRunning = errors.New("no run-bot answers there")

// Client asks a supervisor.
type Client struct {
	at   endpoint
	http *http.Client
}

// NewClient returns a client of the supervisor of a state directory.
func NewClient(dir string) (*Client, error) {
	file := filepath.Join(dir, endpointFile)
	text, err := readSmall(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return nil, hint.With(err, "ask as the user that run-bot runs as, or as root")
	}
	c := &Client{}
	if err := json.Unmarshal(text, &c.at); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c.http = &http.Client{
		Timeout: askWait,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, c.at.Network, c.at.Address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Status asks how the worker is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var st Status
	err := c.call(ctx, http.MethodGet, "/status", nil, &st)
	return st, err
}

// SetWish says what is wished, and returns what happens now.
func (c *Client) SetWish(ctx context.Context, w Wish) (Reply, error) {
	var reply Reply
	err := c.call(ctx, http.MethodPut, "/wish", w, &reply)
	if err == nil && reply.Error != "" {
		err = errors.New(reply.Error)
	}
	return reply, err
}

// call asks and reads the answer.
func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://run-bot"+path, send)
	if err != nil {
		return err
	}
	if c.at.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.at.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var failed *net.OpError
		if errors.As(err, &failed) && failed.Op == "dial" {
			return fmt.Errorf("%w: %w", ErrNotRunning, failed)
		}
		return fmt.Errorf("ask run-bot: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("ask run-bot: %w", err)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("ask run-bot: %s: %.200s", resp.Status, text)
	}
	return nil
}
