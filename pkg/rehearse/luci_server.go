package rehearse

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"gobuild/pkg/botcert"
	"gobuild/pkg/coordinator"
	"gobuild/pkg/machinetoken/mintserver"
	"gobuild/pkg/machinetoken/tokenpb"
)

const (
	signerAccount = "rehearsal@gobuild.iam.gserviceaccount.com"
	tokenLifetime = time.Hour
	caID          = 1 // of the rehearsal's CA, in tokens
)

// luciServer is a token server and a Swarming server on one address of this
// machine. The sections in comments are those of the LUCI protocol
// description.
type luciServer struct {
	// addr is localhost:PORT.
	addr string
	// plain is localhost:PORT of the token server alone, without TLS, as
	// luci_machine_tokend calls backends of that form.
	plain  string
	signer *mintserver.Signer
	verify *mintserver.Verifier
	webs   []*http.Server
	served sync.WaitGroup // of webs

	mu       sync.Mutex
	ahead    time.Duration               // of the token server's clock before this machine's
	minted   mintserver.Outcome          // the last one
	refused  error                       // the last token that was refused, and why
	hosts    map[string]bool             // that may have bots, by host name
	closed   bool                        // whether no bot is let in at login and later
	releases map[string]release          // of the bot, by digest
	current  string                      // digest of the one that bots are to run
	download func(http.ResponseWriter)   // answers a download in the server's place; nil for none
	bots     map[string]*sighting        // by bot ID
	sessions map[string]string           // session to bot ID
	orders   map[string][]map[string]any // answers to the next polls, by bot ID
}

// sighting is what a server has seen of one bot.
type sighting struct {
	identity   string // as its token proves
	version    string // digest of the program that it says it is
	kind       string // of its program, see luci_bot/__main__.py
	downloads  int
	handshakes int
	polls      int
	sessions   int    // of RBE
	rbeStatus  string // that it gave last
	quarantine string
	events     []string
}

// startLUCI starts a server that takes the certificates of the CA in caDir,
// with a certificate whose CA is put in dir as coordinator.DevCA.
func startLUCI(dir, caDir string) (*luciServer, error) {
	ca, err := botcert.OpenCA(caDir)
	if err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	signer, err := mintserver.NewSigner(signerAccount, key)
	if err != nil {
		return nil, err
	}
	s := &luciServer{
		signer: signer, hosts: map[string]bool{}, releases: map[string]release{},
		bots: map[string]*sighting{}, sessions: map[string]string{}, orders: map[string][]map[string]any{},
	}
	s.verify = &mintserver.Verifier{
		Issuers: map[string]mintserver.Keys{signerAccount: signer.Keys()},
		Report:  func(err error) { s.locked(func() { s.refused = err }) },
	}
	mint, err := mintserver.New(mintserver.Options{
		Signer: signer,
		CAs: []mintserver.CA{{
			ID: caID, Certificate: ca.Certificate,
			CRL:     func() ([]byte, error) { return ca.CRL(time.Now(), time.Hour) },
			Domains: []mintserver.Domain{{Names: []string{botcert.Domain}, Lifetime: tokenLifetime}},
		}},
		Now: func() (now time.Time) {
			s.locked(func() { now = time.Now().Add(s.ahead) })
			return now
		},
		Report: func(o mintserver.Outcome) { s.locked(func() { s.minted = o }) },
		Date:   true,
	})
	if err != nil {
		return nil, err
	}
	cert, err := coordinator.DevCertificate(dir)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/prpc/", mint)
	mux.Handle("/", s.verify.Wrap(s.swarming()))
	if s.addr, err = s.listen(mux, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}); err != nil {
		return nil, err
	}
	if s.plain, err = s.listen(mint, nil); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// listen serves at an address of this machine, which it returns.
func (s *luciServer) listen(h http.Handler, secure *tls.Config) (addr string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	web := &http.Server{
		Handler:           h,
		TLSConfig:         secure,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	s.webs = append(s.webs, web)
	s.served.Go(func() {
		if secure != nil {
			web.ServeTLS(listener, "", "")
		} else {
			web.Serve(listener)
		}
	})
	return net.JoinHostPort("localhost", port), nil
}

// backend is what tokend calls the token server. Backends that begin with
// "localhost:" are called without TLS, which a real one never is (section 13,
// trap 19); names have no case.
func (s *luciServer) backend() string { return strings.Replace(s.addr, "localhost", "LOCALHOST", 1) }

func (s *luciServer) close() {
	for _, web := range s.webs {
		web.Close()
	}
	s.served.Wait()
}

// locked runs fn with the server to itself.
func (s *luciServer) locked(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// seen returns what the server knows of a bot.
func (s *luciServer) seen(botID string) (saw sighting) {
	s.locked(func() { saw = *s.bot(botID) })
	return saw
}

// bot returns the sighting of a bot; the caller has the lock.
func (s *luciServer) bot(botID string) *sighting {
	if s.bots[botID] == nil {
		s.bots[botID] = &sighting{}
	}
	return s.bots[botID]
}

// release makes a release of the bot the one that bots are to run.
func (s *luciServer) release(kind string) (digest string, err error) {
	r, err := newRelease("https://"+s.addr, kind)
	if err != nil {
		return "", err
	}
	s.locked(func() { s.releases[r.digest], s.current = r, r.digest })
	return r.digest, nil
}

// order has a bot's next poll answered by a command.
func (s *luciServer) order(botID string, command map[string]any) {
	s.locked(func() { s.orders[botID] = append(s.orders[botID], command) })
}

// expired returns a token for a host that ended some time ago, and when.
func (s *luciServer) expired(fqdn string, ago time.Duration) (string, time.Time, error) {
	end := time.Now().Add(-ago)
	token, err := s.signer.Token(&tokenpb.MachineTokenBody{
		MachineFqdn: fqdn, IssuedBy: signerAccount, CaId: caID, CertSn: []byte{1},
		IssuedAt: uint64(end.Add(-tokenLifetime).Unix()), Lifetime: uint64(tokenLifetime / time.Second),
	})
	return token, end, err
}

// await waits until a condition on what the server has seen of a bot holds.
func (s *luciServer) await(ctx context.Context, p *process, botID string, cond func(sighting) bool) error {
	return p.await(ctx, func() bool { return cond(s.seen(botID)) })
}

// callerOf returns Swarming's name for who sends a request.
func callerOf(r *http.Request) string {
	if bot, ok := mintserver.BotFrom(r.Context()); ok {
		return bot.Identity()
	}
	return "anonymous:anonymous"
}

// botIDOf returns the bot that a request is about: the first that says so
// (section 10.2).
func botIDOf(r *http.Request) string {
	if id := r.URL.Query().Get("bot_id"); id != "" {
		return id
	}
	if id := r.Header.Get("X-Luci-Swarming-Bot-Id"); id != "" {
		return id
	}
	bot, _ := mintserver.BotFrom(r.Context())
	id, _, _ := strings.Cut(bot.FQDN, ".")
	return id
}

// admits is the bot rule of section 10.2: the token is the bot's host's, and
// the host is one of the farm's.
func (s *luciServer) admits(r *http.Request, botID string) bool {
	bot, ok := mintserver.BotFrom(r.Context())
	host, _, _ := strings.Cut(botID, "--")
	known := false
	s.locked(func() { known = s.hosts[host] })
	return ok && known && (bot.FQDN == host || strings.HasPrefix(bot.FQDN, host+"."))
}
