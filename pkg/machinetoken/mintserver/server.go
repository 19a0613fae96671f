// Package mintserver is a LUCI token server for rehearsals: it mints machine
// tokens after the checks of the real one, with the same answers, and checks
// tokens as a Swarming server does.
//
// The sections in comments are those of the LUCI protocol description. Where
// that leaves something open, the package does what the token server's own
// code does at the version that gobuild is tested against.
package mintserver

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gobuild/pkg/machinetoken/tokenpb"
)

// Path is where a token server answers (section 2).
const Path = "/prpc/" + service + "/" + method

const (
	service = "tokenserver.minter.TokenMinter"
	method  = "MintMachineToken"
)

// Options is what makes a Server.
type Options struct {
	// CAs are the certificate authorities whose certificates it takes.
	CAs []CA
	// Signer signs its tokens.
	Signer *Signer
	// ServiceVersion is what it says of itself in each answer, in the form
	// APPID/VERSION; there is a default.
	ServiceVersion string
	// Now is its clock; nil means the system's.
	Now func() time.Time
	// Report hears what became of each request; it may be nil. Requests come at
	// the same time.
	Report func(Outcome)

	// Date says the time in each answer. The real server does not, but what
	// stands before it in production does.
	Date bool

	// The rest breaks things on purpose; each may be nil.

	// Intercept sees each request first. If it returns true it has answered.
	Intercept func(http.ResponseWriter, *http.Request) bool
	// Alter sees each answer last, a refusal too, and may change it. An *Error
	// that it returns is answered in its place, any other error as an internal
	// one.
	Alter func(*tokenpb.MintMachineTokenResponse) error
}

// CA is a certificate authority that the server knows (section 4).
type CA struct {
	// ID stands for the CA in tokens.
	ID int64
	// Certificate is the CA's own; certificates name it as their issuer by its
	// Common Name.
	Certificate *x509.Certificate
	// CRL returns the list of what the CA has revoked, in DER; nil if the
	// server has not got it yet, until when it takes no certificate of this CA.
	// It is asked at each request, and an error is one of the server's own. A
	// CA without a CRL revokes nothing.
	CRL func() ([]byte, error)
	// Domains are those that the CA's machines may be in.
	Domains []Domain
}

// Domain is the terms for the machines of some domains, and of domains below
// them.
type Domain struct {
	Names []string
	// Lifetime is how long a token lasts, in whole seconds. With none, these
	// machines get no token.
	Lifetime time.Duration
}

// Outcome is what became of a request, told to who runs the server.
type Outcome struct {
	// Machine is the name in the certificate; empty if there was none to read.
	Machine string
	// GRPC is the code of the transport and Status that of HTTP.
	GRPC, Status int
	// Code is the code of the answer; SUCCESS with GRPC other than 0 means that
	// there was none.
	Code tokenpb.ErrorCode
	// Message is the text that went with either code.
	Message string
	// Cause is what was wrong. It says more than Message where the client must
	// not hear it: of an untrusted certificate, or of errors of the server's
	// own.
	Cause string
}

// Server mints machine tokens. It is an http.Handler for Path, and for the
// rest of /prpc/, where there is nothing.
type Server struct {
	opts Options
	cas  map[string]CA // by Common Name
	mux  *http.ServeMux
}

// New makes a Server. It returns an error for what a token server would not
// take as its configuration.
func New(opts Options) (*Server, error) {
	if opts.Signer == nil {
		return nil, errors.New("token server: no signer")
	}
	s := &Server{opts: opts, cas: map[string]CA{}, mux: http.NewServeMux()}
	s.opts.ServiceVersion = cmp.Or(opts.ServiceVersion, "gobuild/rehearsal")
	if opts.Now == nil {
		s.opts.Now = time.Now
	}
	ids := map[int64]bool{}
	for _, ca := range opts.CAs {
		if ca.Certificate == nil {
			return nil, errors.New("token server: a CA has no certificate")
		}
		name := ca.Certificate.Subject.CommonName
		_, known := s.cas[name]
		switch {
		case name == "" || !ca.Certificate.IsCA:
			return nil, fmt.Errorf("token server: the certificate of CA %q is none of a CA with a name", name)
		case known:
			return nil, fmt.Errorf("token server: there are two CAs %q", name)
		case ids[ca.ID]:
			return nil, fmt.Errorf("token server: there are two CAs with the id %d", ca.ID)
		}
		s.cas[name], ids[ca.ID] = ca, true
	}
	s.mux.HandleFunc("POST /prpc/{service}/{method}", s.call)
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.opts.Intercept != nil && s.opts.Intercept(w, r) {
		return
	}
	s.mux.ServeHTTP(w, r)
}

// call answers a call by pRPC.
func (s *Server) call(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header()["Date"] = nil
	if s.opts.Date {
		w.Header().Set("Date", s.opts.Now().UTC().Format(http.TimeFormat))
	}

	var outcome Outcome
	format, limit, err := parseHeaders(r)
	var body []byte
	if err == nil {
		body, err = s.answer(r, format, &outcome)
	}
	if err == nil && len(body) > limit {
		err = tooBig(len(body), limit, format)
	}
	if err == nil {
		outcome.Status = http.StatusOK
	} else {
		rpc := asError(err)
		outcome.GRPC, outcome.Status = rpc.Code, rpc.httpStatus()
		outcome.Message, outcome.Cause = rpc.clientText(), rpc.Text
	}
	if s.opts.Report != nil {
		s.opts.Report(outcome)
	}
	if err == nil {
		writeAnswer(w, format, body)
	} else {
		writeError(w, asError(err))
	}
}

// answer does what a request asks for and returns the encoded answer. Its
// errors are those of the transport.
func (s *Server) answer(r *http.Request, format format, outcome *Outcome) ([]byte, error) {
	var req tokenpb.MintMachineTokenRequest
	if err := readMessage(r, &req); err != nil {
		return nil, err
	}
	resp := &tokenpb.MintMachineTokenResponse{}
	token, err := s.mint(&req, &outcome.Machine)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		resp.ErrorCode, resp.ErrorMessage = refused.code, refused.text
		outcome.Cause = cmp.Or(refused.cause, refused.text)
	case err != nil:
		return nil, err
	default:
		token.ServiceVersion = s.opts.ServiceVersion
		resp.TokenResponse = token
	}
	resp.ServiceVersion = s.opts.ServiceVersion
	if s.opts.Alter != nil {
		if err := s.opts.Alter(resp); err != nil {
			return nil, err
		}
	}
	outcome.Code, outcome.Message = resp.ErrorCode, resp.ErrorMessage
	return format.marshal(resp)
}
