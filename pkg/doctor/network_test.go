package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/netdial"
	"gobuild/pkg/netdial/dialtest"
)

// issue returns a self-signed certificate for localhost of that time.
func issue(t *testing.T, from, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// server starts a TLS server with a certificate, quiet about what clients do.
func server(t *testing.T, cert tls.Certificate, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// trusting returns a dialer that trusts certificates and uses no proxy.
func trusting(certs ...tls.Certificate) *netdial.Dialer {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c.Leaf)
	}
	return &netdial.Dialer{Roots: pool, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
}

func hello(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

// silent returns the address of a server that takes connections and says
// nothing.
func silent(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	return ln.Addr().String()
}

func TestReach(t *testing.T) {
	now := time.Now()
	good := issue(t, now.Add(-time.Hour), now.Add(time.Hour))
	expired := issue(t, now.Add(-2*time.Hour), now.Add(-time.Hour))
	early := issue(t, now.Add(time.Hour), now.Add(2*time.Hour))
	stranger := issue(t, now.Add(-time.Hour), now.Add(time.Hour))
	dialer := trusting(good, expired, early)

	answers := server(t, good, hello)
	refused := dialtest.FreeAddr(t)
	plain := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(plain.Close)
	large := server(t, good, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) })
	slow := server(t, good, func(w http.ResponseWriter, r *http.Request) {
		for range 60 {
			w.Write(make([]byte, 1<<10))
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	hangsUp := server(t, good, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	through := func(addr string) *netdial.Dialer {
		proxy, err := url.Parse("http://joe:secret@" + addr)
		if err != nil {
			t.Fatal(err)
		}
		return &netdial.Dialer{Roots: dialer.Roots, Proxy: func(*http.Request) (*url.URL, error) { return proxy, nil }}
	}
	proxied := func(t *testing.T, status string) *netdial.Dialer { return through(connectProxy(t, status)) }
	for _, tt := range []struct {
		name   string
		host   Host
		dialer *netdial.Dialer
		want   expect
	}{
		{"answers", Host{URL: answers.URL, Status: 200}, dialer, expect{OK, `^127\.0\.0\.1:\d+ in \S+ms \(TCP \S+ms, TLS \S+ms, answer \S+ms\)$`, ""}},
		{"by name", Host{URL: strings.Replace(answers.URL, "127.0.0.1", "localhost", 1)}, dialer, expect{OK, `^localhost:\d+ in \S+ms \(.*TCP`, ""}},
		{"any status", Host{URL: server(t, good, http.NotFound).URL}, dialer, expect{OK, "", ""}},
		{"wrong status", Host{URL: server(t, good, http.NotFound).URL, Status: 200}, dialer, expect{Warn, "HTTP status 404$", "address right"}},
		{"plain", Host{URL: plain.URL}, dialer, expect{OK, `\(TCP \S+ms, answer \S+ms\)$`, ""}},
		{"rate", Host{URL: large.URL, Download: 512 << 10}, dialer, expect{OK, `, 524 kB at \d+(\.\d)? .B/s$`, ""}},
		{"slow line", Host{URL: slow.URL, Download: 512 << 10}, dialer, expect{Warn, `, \d+ kB at \d+ kB/s$`, "slow"}},
		{"no such name", Host{URL: "https://nowhere.invalid"}, dialer, expect{Fail, `^nowhere\.invalid: .*(after \S+ms)`, "name server"}},
		{"refused", Host{URL: "https://" + refused}, dialer, expect{Fail, "^dial 127.0.0.1:.*refused", "nothing listens"}},
		{"refused, of Google's", Host{URL: "https://" + refused, Target: TargetLUCI}, dialer, expect{Fail, "refused", "firewall"}},
		{"not trusted", Host{URL: server(t, stranger, hello).URL}, dialer, expect{Fail, "unknown authority", "--ca-file"}},
		{"not trusted, of Google's", Host{URL: server(t, stranger, hello).URL, Target: TargetLUCI}, dialer, expect{Fail, "unknown authority", "opens its TLS.*REQUESTS_CA_BUNDLE"}},
		{"expired", Host{URL: server(t, expired, hello).URL}, dialer, expect{Fail, "expired", "out of date, or this machine's clock"}},
		{"not valid yet", Host{URL: server(t, early, hello).URL}, dialer, expect{Fail, "not yet valid", "clock is behind"}},
		{"no TLS", Host{URL: strings.Replace(plain.URL, "http:", "https:", 1), Target: TargetLUCI}, dialer, expect{Fail, "TLS", "answers in its place"}},
		{"hangs up", Host{URL: hangsUp.URL}, dialer, expect{Fail, `^127\.0\.0\.1:\d+: connected, but then: .*EOF`, ""}},
		{"silent", Host{URL: "https://" + silent(t)}, dialer, expect{Fail, "^dial 127.0.0.1:.*deadline exceeded|no answer", "firewall"}},
		{"bad address", Host{URL: "https://a b"}, dialer, expect{Fail, "no URL or HOST:PORT", "configuration"}},
		{"through a proxy", Host{URL: answers.URL}, proxied(t, "200 OK"), expect{OK, `^127\.0\.0\.1:\d+ through the proxy 127\.0\.0\.1:\d+ in `, ""}},
		{"proxy wants a password", Host{URL: answers.URL}, proxied(t, "407 Proxy Authentication Required"), expect{Fail, "refused CONNECT .*407", "USER:PASSWORD@"}},
		{"proxy is not there", Host{URL: answers.URL, Target: TargetLUCI}, through(refused), expect{Fail, `^dial \S+: proxy \S+: dial tcp .*refused \(after [^)]*\)$`, "is HTTPS_PROXY right"}},
		{"proxy without a name", Host{URL: answers.URL, Target: TargetLUCI}, through("nowhere.invalid:80"), expect{Fail, `nowhere\.invalid: `, "is HTTPS_PROXY right"}},
		{"proxy does not answer", Host{URL: answers.URL, Target: TargetLUCI}, through(silent(t)), expect{Fail, "answer to CONNECT", "is HTTPS_PROXY right.*NO_PROXY=127.0.0.1 "}},
		{"proxy is none", Host{URL: answers.URL, Target: TargetLUCI}, proxied(t, "SSH"), expect{Fail, `^dial \S+: proxy \S+: answer to CONNECT: malformed HTTP [^(]*\(after [^)]*\)$`, "is HTTPS_PROXY right"}},
		{"proxy forbids", Host{URL: answers.URL, Target: TargetLUCI}, proxied(t, "403 Forbidden"), expect{Fail, "refused CONNECT .*403", "NO_PROXY"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			e := examine(t, Options{For: TargetLUCI, Dialer: tt.dialer, Hosts: []Host{tt.host}})
			got := e.answer(ctx, tt.host).judge()
			compare(t, one(got), tt.want)
			if strings.Contains(got.Found+got.Remedy, "secret") {
				t.Errorf("it shows a password: %+v", got)
			}
		})
	}
}

// connectProxy starts a proxy that answers CONNECT with a status, and returns
// its address.
func connectProxy(t *testing.T, status string) string {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 "+status+"\r\n\r\n")
		if !strings.HasPrefix(status, "200") {
			return
		}
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			return
		}
		defer to.Close()
		go io.Copy(to, conn)
		io.Copy(conn, to)
	}))
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}

// TestReachTargets checks which hosts are called for whom.
func TestReachTargets(t *testing.T) {
	good := issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	url := server(t, good, hello).URL
	for _, tt := range []struct {
		o    Options
		want []expect
	}{
		{Options{}, []expect{{Warn, "", ""}, {OK, "", ""}}}, // what may not matter warns
		{Options{For: TargetLUCI}, []expect{{Fail, "", ""}}},
		{Options{For: TargetCoordinator}, []expect{{OK, "", ""}}},
	} {
		tt.o.Hosts = []Host{{Name: "a", URL: "https://nowhere.invalid", Target: TargetLUCI}, {Name: "b", URL: url, Target: TargetCoordinator}}
		tt.o.Dialer = trusting(good)
		tt.o.Only = []string{"reach/a"}
		compare(t, Run(within(t), tt.o).Findings, tt.want...)
	}
	none := Run(within(t), Options{For: TargetCoordinator, Only: []string{"reach"}})
	compare(t, none.Findings, expect{Skip, "no coordinator", ""})
	offline := Run(within(t), Options{For: TargetLUCI, Only: []string{"reach", "clock"}, Offline: true})
	compare(t, offline.Findings, expect{Skip, "offline", ""}, expect{Skip, "offline", ""})
}

func TestClock(t *testing.T) {
	now := time.Now()
	good := issue(t, now.Add(-time.Hour), now.Add(time.Hour))
	early := issue(t, now.Add(30*time.Minute), now.Add(time.Hour))
	says := func(off time.Duration) Host {
		return Host{Target: TargetLUCI, URL: server(t, good, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		}).URL}
	}
	mute := Host{Target: TargetLUCI, URL: server(t, good, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }).URL}
	odd := Host{Target: TargetLUCI, URL: server(t, good, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", "today") }).URL}
	for _, tt := range []struct {
		name  string
		hosts []Host
		o     Options
		want  expect
	}{
		{"right", []Host{says(0)}, Options{For: TargetLUCI}, expect{OK, "^right$", ""}},
		{"a little ahead", []Host{says(-30 * time.Second)}, Options{For: TargetLUCI}, expect{OK, "^(29|30|31)s ahead$", ""}},
		{"behind", []Host{says(5 * time.Minute)}, Options{For: TargetLUCI}, expect{Warn, "^5m behind$", "NTP"}},
		{"too far behind", []Host{says(11 * time.Minute)}, Options{For: TargetLUCI}, expect{Fail, "^11m behind$", "BAD_TIMESTAMP"}},
		{"the coordinator does not mind", []Host{says(11 * time.Minute)}, Options{For: TargetCoordinator}, expect{Warn, "^11m behind$", "NTP"}},
		{"one of three is wrong", []Host{says(0), says(48 * time.Hour), says(0)}, Options{For: TargetLUCI}, expect{OK, "^right$", ""}},
		{"no time", []Host{mute, odd}, Options{For: TargetLUCI}, expect{Unknown, "no host answered with its time", ""}},
		{"no hosts", nil, Options{For: TargetLUCI}, expect{Unknown, "", ""}},
		{"certificate from the future", []Host{{Target: TargetLUCI, URL: server(t, early, hello).URL}, says(0)}, Options{For: TargetLUCI}, expect{Fail, "begins on .* here it is", "set the clock"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Dialer = trusting(good, early)
			tt.o.Only = []string{"clock"}
			tt.o.Hosts = append([]Host{}, tt.hosts...)
			if tt.o.For == TargetCoordinator {
				tt.o.Hosts[0].Target = TargetCoordinator
			}
			compare(t, Run(within(t), tt.o).Findings, tt.want)
		})
	}
}

func TestDefaultHosts(t *testing.T) {
	urls := map[string]string{}
	for _, h := range DefaultHosts(Options{}) {
		urls[h.Name] = h.URL
		if h.Target != TargetLUCI {
			t.Errorf("%s without a coordinator", h.Name)
		}
	}
	for name, want := range map[string]string{
		"token-server": "https://luci-token-server.appspot.com/",
		"swarming":     "https://chromium-swarm.appspot.com/swarming/api/v1/bot/server_ping",
		"goproxy":      "https://proxy.golang.org" + goModule,
	} {
		if urls[name] != want {
			t.Errorf("%s: %s, want %s", name, urls[name], want)
		}
	}
	own := DefaultHosts(Options{Backend: "localhost:8000", Swarming: "swarm.example", Coordinator: "https://farm.example/", Getenv: func(name string) string {
		return map[string]string{"GOPROXY": "off, http://plain.example|https://joe:secret@mirror.example/go/,direct"}[name]
	}})
	for i, want := range map[int]string{
		0:            "http://localhost:8000/",
		1:            "https://swarm.example/swarming/api/v1/bot/server_ping",
		6:            "https://mirror.example/go" + goModule,
		len(own) - 1: "https://farm.example/builders?mode=json",
	} {
		if own[i].URL != want {
			t.Errorf("%s: %s, want %s", own[i].Name, own[i].URL, want)
		}
	}
}
