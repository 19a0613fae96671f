package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What the client sends passes the server's check, and is sent again when the
// network fails.
func TestFileRequest(t *testing.T) {
	for name, key := range proofKeys() {
		var bodies [][]byte
		var s *server
		s = serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies = append(bodies, body)
			if err := CheckProof(r, body, key.Public(), time.Now()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, _, password := r.BasicAuth(); password || r.URL.Path != RouteRequests || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %s with password %t, content type %q", name, r.URL, password, r.Header.Get("Content-Type"))
			}
			if s.calls.Load() == 1 {
				reset(w)
				return
			}
			w.WriteHeader(http.StatusCreated)
			json.NewEncoder(w).Encode(Request{ID: "linux-mips-joe.1", State: RequestPending, Turn: TurnMaintainer})
		})
		req, err := s.client(t).FileRequest(within(t), NewRequest{Hostname: "linux-mips-joe", CSR: "<&>"}, key)
		if err != nil || req.ID != "linux-mips-joe.1" || req.Turn != TurnMaintainer {
			t.Errorf("%s: %+v, %v", name, req, err)
		}
		if len(bodies) != 2 || !bytes.Equal(bodies[0], bodies[1]) || !bytes.Contains(bodies[1], []byte(`"hostname":"linux-mips-joe"`)) {
			t.Errorf("%s: sent %q", name, bodies)
		}
	}
}

func TestTooLongRequestIsNotSent(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("it was sent") })
	_, err := s.client(t).FileRequest(within(t), NewRequest{Report: strings.Repeat("x", MaxNewRequest)}, proofKeys()["P-256"])
	wantError(t, err, "shorten the report", "bytes long: at most 65536")
}

// A report of what JSON within HTML would escape counts as it is.
func TestRequestIsNotEscaped(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var got NewRequest
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got.Report != strings.Repeat("<&>", 10<<10) {
			t.Errorf("report of %d bytes, %v", len(got.Report), err)
		}
		io.WriteString(w, "{}")
	})
	if _, err := s.client(t).FileRequest(within(t), NewRequest{Report: strings.Repeat("<&>", 10<<10)}, proofKeys()["P-256"]); err != nil {
		t.Error(err)
	}
}

func TestRequestCalls(t *testing.T) {
	key := proofKeys()["P-256"]
	const id = "linux-mips-joe.1"
	for _, tt := range []struct {
		name         string
		call         func(c *Client) error
		method, uri  string
		proven       bool
		body, answer string
	}{
		{"owner", func(c *Client) error { _, err := c.Request(within(t), id, key); return err }, "GET", "/api/v1/requests/" + id, true, "", "{}"},
		{"collect", func(c *Client) error { _, err := c.Collect(within(t), id, key); return err }, "POST", "/api/v1/requests/" + id + "/collect", true, "", "{}"},
		{"maintainer", func(c *Client) error { _, err := c.Request(within(t), id, nil); return err }, "GET", "/api/v1/requests/" + id, false, "", "{}"},
		{"list", func(c *Client) error { _, err := c.Requests(within(t), false); return err }, "GET", "/api/v1/requests", false, "", "[]"},
		{"list all", func(c *Client) error { _, err := c.Requests(within(t), true); return err }, "GET", "/api/v1/requests?all=1", false, "", "[]"},
		{"approve", func(c *Client) error { _, err := c.Approve(within(t), id, Approval{HostType: "host-x"}); return err },
			"POST", "/api/v1/requests/" + id + "/approve", false, `{"hostType":"host-x"}`, "{}"},
		{"reject", func(c *Client) error {
			_, err := c.Reject(within(t), id, Rejection{Reason: "no", Revoke: true})
			return err
		},
			"POST", "/api/v1/requests/" + id + "/reject", false, `{"reason":"no","revoke":true}`, "{}"},
		{"odd ID", func(c *Client) error { _, err := c.Request(within(t), "a/../b?c", nil); return err }, "GET", "/api/v1/requests/a%2F..%2Fb%3Fc", false, "", "{}"},
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Method != tt.method || r.RequestURI != tt.uri || string(body) != tt.body {
				t.Errorf("%s: %s %s %q", tt.name, r.Method, r.RequestURI, body)
			}
			_, _, password := r.BasicAuth()
			if password == tt.proven || (CheckProof(r, body, key.Public(), time.Now()) == nil) != tt.proven {
				t.Errorf("%s: proof or password: %v", tt.name, r.Header)
			}
			io.WriteString(w, tt.answer)
		})
		if err := tt.call(s.client(t)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if n := s.calls.Load(); n != 1 {
			t.Errorf("%s: %d calls", tt.name, n)
		}
	}
}

// A long answer does not cost the connection.
func TestConnectionIsKept(t *testing.T) {
	conns := map[string]bool{}
	list := make([]Request, 1000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conns[r.RemoteAddr] = true
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(list)
	})
	c := s.client(t)
	for range 5 {
		if got, err := c.Requests(within(t), true); err != nil || len(got) != len(list) {
			t.Errorf("%d requests, %v", len(got), err)
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections were made", len(conns))
	}
}

// No ID leads to another route.
func TestRequestIDs(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("called %s", r.URL) })
	for _, id := range []string{"", ".", ".."} {
		_, err := s.client(t).Request(within(t), id, nil)
		wantError(t, err, "linux-riscv64-joe.1", "there is no request")
		_, err = s.client(t).Reject(within(t), id, Rejection{Reason: "no"})
		wantError(t, err, "linux-riscv64-joe.1", "there is no request")
	}
}
