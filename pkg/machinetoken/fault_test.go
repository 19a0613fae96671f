package machinetoken

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken/tokenpb"
	"gobuild/pkg/netdial/dialtest"
)

// bare answers with a status and text, without a pRPC code.
func bare(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}

// coded answers as a pRPC server does.
func coded(status int, code, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Prpc-Grpc-Code", code)
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}

// ok answers with a success that has this body.
func ok(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Prpc-Grpc-Code", "0")
		w.Header().Set("Content-Type", binaryType)
		w.Write(body)
	}
}

func encoded(t *testing.T, m proto.Message) []byte {
	t.Helper()
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// Each fault of a server: how it is named, whether it is tried again, what is
// said and advised. The token that was there stays.
func TestServerFaults(t *testing.T) {
	f := newFarm(t)
	f.once(f.daemon())
	old := f.read("token.json")
	tooBig := base64.StdEncoding.EncodeToString(encoded(t, &anypb.Any{TypeUrl: "type.googleapis.com/luci.prpc.ErrorDetails"}))
	refusal := func(code tokenpb.ErrorCode) http.HandlerFunc {
		return ok(encoded(t, &tokenpb.MintMachineTokenResponse{ErrorCode: code, ErrorMessage: "so it is\n", ServiceVersion: "x/1"}))
	}
	hang := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, tt := range []struct {
		name    string
		fault   http.HandlerFunc
		retried bool
		outcome string
		says    string // in the error
		advises string // in the hint
	}{
		{"500", bare(500, "oops"), true, "GRPC_ERROR_13", "HTTP 500 without a pRPC code: oops", "in trouble"},
		{"503", bare(503, ""), true, "GRPC_ERROR_14", "HTTP 503 without a pRPC code", "in trouble"},
		{"404", bare(404, "<html><title>Not here</title>"), true, "GRPC_ERROR_13", `HTTP 404 without a pRPC code: a web page titled "Not here"`, "no token server"},
		{"200 of a web server", bare(200, "hi"), true, "GRPC_ERROR_13", "HTTP 200 without a pRPC code: hi", "no token server"},
		{"401", bare(401, "who?"), false, "GRPC_ERROR_16", "HTTP 401 without a pRPC code: who?", "HTTPS_PROXY"},
		{"403", bare(403, "no"), false, "GRPC_ERROR_7", "HTTP 403 without a pRPC code: no", "a proxy, a firewall"},
		{"403 of the server", coded(403, "7", "not you"), false, "GRPC_ERROR_7", "PermissionDenied (7): not you", "farm's team"},
		{"internal", coded(500, "13", "Internal server error"), true, "GRPC_ERROR_13", "Internal (13): Internal server error", "next run tries again"},
		{"unknown", coded(500, "2", "?"), true, "GRPC_ERROR_2", "Unknown (2): ?", "next run"},
		{"deadline at the server", coded(504, "4", "late"), true, "GRPC_ERROR_4", "DeadlineExceeded (4): late", "in trouble"},
		{"bad request", coded(400, "3", "what?"), false, "GRPC_ERROR_3", "InvalidArgument (3): what?", "is --backend a token server? A damaged clock does the same; here it is 20"},
		{"quota", coded(429, "8", ""), false, "GRPC_ERROR_8", "ResourceExhausted (8)", "wait"},
		{"unimplemented", coded(501, "12", ""), false, "GRPC_ERROR_12", "Unimplemented (12)", "is --backend right"},
		{"a code that there is not", coded(200, "77", ""), false, "GRPC_ERROR_77", "gRPC code 77", ""},
		{"a code that is none", coded(200, "zero", ""), true, "GRPC_ERROR_13", "HTTP 200 without a pRPC code", "no token server"},
		{"unavailable, too big", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Prpc-Status-Details-Bin", "AAAA, "+tooBig)
			coded(503, "14", "too big")(w, r)
		}, false, "GRPC_ERROR_14", "too big", ""},
		{"wrong content type", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Prpc-Grpc-Code", "0")
		}, true, "GRPC_ERROR_13", `content type is "application/json"`, ""},
		{"slow", hang, true, "GRPC_ERROR_4", "no answer in time", "does not answer"},
		{"truncated", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			ok([]byte("short"))(w, r)
		}, true, "GRPC_ERROR_13", "of which 5 bytes came: unexpected EOF", ""},
		{"connection cut", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, true, "GRPC_ERROR_13", "EOF", ""},
		{"10 MiB", ok(make([]byte, 10<<20)), false, "GRPC_ERROR_14", "longer than 1048576 bytes", ""},
		{"10 MiB of error", bare(500, strings.Repeat("x", 10<<20)), true, "GRPC_ERROR_13", "x...", "in trouble"},
		{"redirect out of TLS", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+f.plain+"/x", http.StatusTemporaryRedirect)
		}, false, "GRPC_ERROR_13", "which is not TLS", "is --backend right"},
		{"redirect without end", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, false, "GRPC_ERROR_13", "more than 10 times", ""},
		{"no message", ok([]byte("\xff\xff")), false, "MALFORMED_RESPONSE", "no MintMachineTokenResponse", "another version"},
		{"empty", ok(nil), false, "UNKNOWN_RPC_ERROR", "holds no token", "another version"},
		{"no token", ok(encoded(t, &tokenpb.MintMachineTokenResponse{TokenResponse: &tokenpb.MachineTokenResponse{}})), false, "MALFORMED_RESPONSE", "is empty", ""},
		{"control characters", ok(token("a\nb")), false, "MALFORMED_RESPONSE", "no HTTP header", ""},
		{"huge token", ok(token(strings.Repeat("x", maxToken+1))), false, "MALFORMED_RESPONSE", "longer than 16384 bytes", ""},
		{"signature kind", refusal(tokenpb.ErrorCode_UNSUPPORTED_SIGNATURE), false, "MINT_TOKEN_ERROR_UNSUPPORTED_SIGNATURE", "UNSUPPORTED_SIGNATURE (1): so it is; it takes no", ""},
		{"token kind", refusal(tokenpb.ErrorCode_UNSUPPORTED_TOKEN_TYPE), false, "MINT_TOKEN_ERROR_UNSUPPORTED_TOKEN_TYPE", "(2)", ""},
		{"clock", refusal(tokenpb.ErrorCode_BAD_TIMESTAMP), false, "MINT_TOKEN_ERROR_BAD_TIMESTAMP", "more than 10 minutes off", "NTP"},
		{"certificate format", refusal(tokenpb.ErrorCode_BAD_CERTIFICATE_FORMAT), false, "MINT_TOKEN_ERROR_BAD_CERTIFICATE_FORMAT", "(4)", "csr check"},
		{"signature", refusal(tokenpb.ErrorCode_BAD_SIGNATURE), false, "MINT_TOKEN_ERROR_BAD_SIGNATURE", "(5)", "proxy"},
		{"untrusted", refusal(tokenpb.ErrorCode_UNTRUSTED_CERTIFICATE), false, "MINT_TOKEN_ERROR_UNTRUSTED_CERTIFICATE", "says the same of all", "as far as this machine can see (key RSA"},
		{"arguments", refusal(tokenpb.ErrorCode_BAD_TOKEN_ARGUMENTS), false, "MINT_TOKEN_ERROR_BAD_TOKEN_ARGUMENTS", "(7)", "does not know its domain"},
		{"minting", refusal(tokenpb.ErrorCode_MACHINE_TOKEN_MINTING_ERROR), false, "MINT_TOKEN_ERROR_MACHINE_TOKEN_MINTING_ERROR", "(8)", "nothing is wrong here"},
		{"a reason of the future", refusal(99), false, "MINT_TOKEN_ERROR_99", "99 (99)", "does not know"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.breakWith(tt.fault)
			d := f.daemon()
			d.Force = true
			once := f.once
			switch {
			case tt.name == "slow":
				once = f.briefly(1)
			case tt.retried:
				once = f.briefly(2)
			}
			r := once(d)
			if r.Err == nil {
				t.Fatalf("no error: %+v", r)
			}
			if r.Outcome != tt.outcome || r.Transient != tt.retried {
				t.Errorf("outcome %s (transient %t), want %s (%t)", r.Outcome, r.Transient, tt.outcome, tt.retried)
			}
			if text := r.Err.Error(); !strings.Contains(text, tt.says) || strings.ContainsAny(text, "\n\x00") || len(text) > 1000 {
				t.Errorf("error %q, want one with %q", text, tt.says)
			}
			if h := hint.Of(r.Err); h == "" && tt.outcome != "GRPC_ERROR_77" || !strings.Contains(h, tt.advises) {
				t.Errorf("hint %q, want one with %q", h, tt.advises)
			}
			if retried := r.Attempts > 1; retried != tt.retried && tt.name != "slow" {
				t.Errorf("%d attempts", r.Attempts)
			}
			if f.read("token.json") != old || r.Expiry.IsZero() {
				t.Errorf("the old token is gone: %+v", r)
			}
		})
	}
}

// token is an answer with this token.
func token(s string) []byte {
	wire, _ := proto.Marshal(&tokenpb.MintMachineTokenResponse{TokenResponse: &tokenpb.MachineTokenResponse{
		TokenType: &tokenpb.MachineTokenResponse_LuciMachineToken{LuciMachineToken: &tokenpb.LuciMachineToken{MachineToken: s}},
	}})
	return wire
}

// What is sent, field by field (LUCI protocol, section 2), and that a retry
// sends the very same request, with the time that is left.
func TestRequest(t *testing.T) {
	f := newFarm(t)
	f.breakWith(func(w http.ResponseWriter, r *http.Request) {
		if f.calls() < 3 {
			bare(503, "")(w, r)
			return
		}
		f.mint.ServeHTTP(w, r)
	})
	d := f.daemon()
	d.Timeout = time.Minute
	if r := f.once(d); r.Err != nil || r.Attempts != 3 {
		t.Fatalf("%+v", r)
	}
	last := ""
	for i, r := range f.requests {
		got := fmt.Sprintln(r.Method, r.URL.Path, r.Host == f.backend, r.TLS != nil)
		if want := "POST /prpc/tokenserver.minter.TokenMinter/MintMachineToken true true\n"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		timeout := r.Header.Get("X-Prpc-Grpc-Timeout")
		if len(timeout) != 9 || !strings.HasSuffix(timeout, "u") || timeout == last {
			t.Errorf("attempt %d: timeout %s, after %s", i+1, timeout, last)
		}
		last = timeout
		for name, want := range map[string]string{
			"Content-Type":             "application/prpc; encoding=binary",
			"Accept":                   "application/prpc; encoding=binary",
			"Accept-Encoding":          "gzip",
			"Content-Length":           fmt.Sprint(len(f.bodies[0])),
			"X-Prpc-Max-Response-Size": "33521664",
			"Authorization":            "",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if ua := r.Header.Get("User-Agent"); !strings.HasPrefix(ua, "gobuild/") || !strings.HasSuffix(ua, " tokend") {
			t.Errorf("User-Agent %q", ua)
		}
		if len(r.Header) != 7 {
			t.Errorf("more headers than these: %v", r.Header)
		}
	}
	if len(slices.Compact(f.bodies)) != 1 {
		t.Error("the attempts sent different requests")
	}
}

// The real cause is what is told when the time is over during a later attempt.
func TestCauseIsKept(t *testing.T) {
	f := newFarm(t)
	f.breakWith(func(w http.ResponseWriter, r *http.Request) {
		if f.calls() > 1 {
			<-r.Context().Done()
			return
		}
		bare(502, "bad gateway")(w, r)
	})
	d := f.daemon()
	d.Timeout = 4 * time.Second
	r := f.once(d)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "HTTP 502 without a pRPC code: bad gateway (after 2 attempts; the time was over after ") {
		t.Errorf("error %v", r.Err)
	}
}

// Plain HTTP is for exactly two prefixes, small letters.
func TestPlainHTTP(t *testing.T) {
	for backend, want := range map[string]bool{
		"localhost:1": true, "127.0.0.1:1": true, "localhost": false, "LOCALHOST:1": false, "127.0.0.2:1": false,
		"[::1]:1": false, "localhost.example:1": false, "luci-token-server.appspot.com": false,
	} {
		if got := plainHTTP(backend); got != want {
			t.Errorf("%s: %t", backend, got)
		}
	}
	f := newFarm(t)
	d := f.daemon()
	d.Backend = f.plain
	if r := f.once(d); r.Err != nil || f.requests[0].TLS != nil {
		t.Errorf("%+v", r)
	}
}

// Faults of the way to a server.
func TestNetworkFaults(t *testing.T) {
	f := newFarm(t)
	refused := dialtest.FreeAddr(t)
	for _, tt := range []struct {
		name     string
		edit     func(d *Daemon)
		attempts int // 0 means more than one
		says     string
		advises  string
	}{
		{"no such name", func(d *Daemon) { d.Backend = "nosuch.invalid" }, 0, "dial nosuch.invalid:443: ", ""},
		{"nothing listens", func(d *Daemon) { d.Backend = refused }, 0, "refused", ""},
		{"nothing listens, TLS", func(d *Daemon) {
			d.Backend = "LOCALHOST" + strings.TrimPrefix(refused, "127.0.0.1")
		}, 0, "refused", "is the token server running"},
		{"unknown CA", func(d *Daemon) { d.Roots = nil }, 1, "certificate signed by unknown authority", "--ca-file"},
		{"another name", func(d *Daemon) { d.Backend = strings.Replace(f.backend, "LOCALHOST", "[::ffff:127.0.0.1]", 1) }, 1, "doesn't contain any IP SANs", ""},
		{"no TLS", func(d *Daemon) { d.Backend = "LOCALHOST" + strings.TrimPrefix(f.plain, "127.0.0.1") }, 1, "does not look like a TLS handshake", "speak TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := f.daemon()
			tt.edit(d)
			once := f.once
			switch {
			case tt.name == "no such name":
				once = f.briefly(1)
			case tt.attempts == 0:
				once = f.briefly(2)
			}
			r := once(d)
			if r.Err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(r.Err.Error(), tt.says) || !strings.Contains(hint.Of(r.Err), tt.advises) || hint.Of(r.Err) == "" || strings.Contains(hint.Of(r.Err), "coordinator") {
				t.Errorf("error %v\nhint %q", r.Err, hint.Of(r.Err))
			}
			if tt.attempts != 0 && r.Attempts != tt.attempts || tt.attempts == 0 && r.Attempts < 2 && tt.name != "no such name" {
				t.Errorf("%d attempts", r.Attempts)
			}
		})
	}
}

// A clock that is 11 minutes off: the server refuses, and the advice names by
// how much, if the server says what time it is.
func TestClock(t *testing.T) {
	f := newFarm(t)
	dated := func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		f.mint.ServeHTTP(rec, r)
		for name, values := range rec.Result().Header {
			w.Header()[name] = values
		}
		w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
		w.Write(rec.Body.Bytes())
	}
	for _, off := range []time.Duration{11 * time.Minute, -11 * time.Minute} {
		d := f.daemon()
		d.Now = func() time.Time { return time.Now().Add(off) }
		f.breakWith(nil)
		r := f.once(d)
		local := d.Now().UTC().Format("2006-01-02T15:")
		if r.Outcome != "MINT_TOKEN_ERROR_BAD_TIMESTAMP" || !strings.Contains(hint.Of(r.Err), local) || r.Skew.Known {
			t.Errorf("%s, without Date: %+v\nhint %q", off, r, hint.Of(r.Err))
		}
		f.breakWith(dated)
		r = f.once(d)
		direction := map[bool]string{true: "ahead of", false: "behind"}[off > 0]
		if r.Outcome != "MINT_TOKEN_ERROR_BAD_TIMESTAMP" || !strings.Contains(hint.Of(r.Err), direction+" the server's") ||
			!strings.Contains(hint.Of(r.Err), "11m0s ") && !strings.Contains(hint.Of(r.Err), "11m1s ") && !strings.Contains(hint.Of(r.Err), "10m59s ") {
			t.Errorf("%s, with Date: %+v\nhint %q", off, r, hint.Of(r.Err))
		}
	}
	// Not yet too far off: a token, and a word about it.
	d := f.daemon()
	d.Now = func() time.Time { return time.Now().Add(8 * time.Minute) }
	if r := f.once(d); r.Err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Text, "ahead of the server's") {
		t.Errorf("%+v", r)
	}
}

// A signal ends a run at once, whatever it waits for.
func TestCancel(t *testing.T) {
	f := newFarm(t)
	for name, fault := range map[string]http.HandlerFunc{
		"waiting for an answer": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"between attempts":      bare(503, ""),
	} {
		t.Run(name, func(t *testing.T) {
			f.breakWith(fault)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				for f.calls() == 0 {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(20 * time.Millisecond)
				cancel()
			}()
			start := time.Now()
			r := f.daemon().Once(ctx)
			if r.Outcome != "GRPC_ERROR_1" || r.Err == nil || time.Since(start) > 30*time.Second {
				t.Errorf("after %s: %+v", time.Since(start), r)
			}
		})
	}
}

func TestEncodeTimeout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0n", 0: "0n", 1: "1n", 99_999_999: "99999999n", 100_000_000: "100000u", 100_000_001: "100001u",
		4 * time.Second: "4000000u", 59_971_975_100: "59971976u", time.Minute: "60000000u", 2 * time.Minute: "120000m",
		48 * time.Hour: "172800S", 200 * 24 * time.Hour: "17280000S", 2000 * 24 * time.Hour: "2880000M",
	} {
		if got := encodeTimeout(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}

// FuzzAnswer reads what a stranger answers.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "0", binaryType, "", token("abc"))
	f.Add(503, "14", "text/bare", "AAAA", []byte("down\n"))
	f.Add(404, "", "text/html", "", []byte("<html><title>x"))
	f.Fuzz(func(t *testing.T, status int, code, contentType, details string, body []byte) {
		resp := &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(string(body))), Header: http.Header{
			"X-Prpc-Grpc-Code": {code}, "Content-Type": {contentType}, "X-Prpc-Status-Details-Bin": {details}}}
		got, failed := newClient("x.example", nil).read(resp)
		if failed != nil {
			if text := failed.Error(); strings.ContainsAny(text, "\n\r\x00\x1b") || len(text) > 2000 {
				t.Errorf("error text %q", text)
			}
			callAdvice(failed, time.Unix(0, 0))
			return
		}
		minted, err := parseAnswer(got)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("error text %q", err)
			}
			return
		}
		text, err := TokenFile{Token: minted.token, Expiry: minted.expiry}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseTokenFile(text); err != nil || back.Token != minted.token {
			t.Errorf("%s: %v", text, err)
		}
	})
}
