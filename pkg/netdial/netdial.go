// Package netdial opens verified TLS connections to a farm's servers, and
// says in plain words why it could not.
//
// It is shared by everything that calls out: the worker's reverse link and
// the client of the coordinator's HTTP API. Certificates are always verified;
// a private farm's CA comes from a PEM file. Where the environment names a
// proxy for the address (HTTPS_PROXY, NO_PROXY), the connection goes through
// its CONNECT method, with credentials if the proxy's URL carries them. The
// package imports only hint.
package netdial

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"gobuild/pkg/hint"
)

// Limits of one connection attempt. The first two are upstream's
// (build protocol, section 2.1).
const (
	connectTimeout   = 10 * time.Second
	handshakeTimeout = 30 * time.Second
	keepAlive        = 15 * time.Second
	// maxProxyAnswer bounds the header of a proxy's answer, in bytes.
	maxProxyAnswer = 64 << 10
)

// Roots returns the system's certificate pool with the PEM certificates of
// each named file added. Empty names are passed over. It returns an error
// that names the file if one cannot be read or holds no certificate.
func Roots(caFiles ...string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		// Plan 9 and trimmed-down images may have no store; the file may do.
		pool = x509.NewCertPool()
	}
	for _, file := range caFiles {
		if file == "" {
			continue
		}
		pem, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrPermission) {
			return nil, hint.With(fmt.Errorf("read CA file: %w", err),
				"the user that this runs as may not read it, or not enter a directory on the way: put it where everybody may, it is no secret")
		}
		if err != nil {
			return nil, hint.With(fmt.Errorf("read CA file: %w", err),
				"--ca-file (or GOBUILD_CA_FILE, or ca-file in the config) names a PEM file with the farm's CA certificate")
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, hint.With(fmt.Errorf("CA file %s holds no PEM certificate", file),
				"the file has to hold a block that begins with -----BEGIN CERTIFICATE-----")
		}
	}
	return pool, nil
}

// Dialer opens TLS connections. The zero value verifies against the system's
// roots and uses the proxy that the environment names. A Dialer may be used
// by several goroutines at once.
type Dialer struct {
	// Roots are the trusted CA certificates; nil means the system's.
	Roots *x509.CertPool
	// Proxy returns the proxy for a URL, or nil for none; nil means
	// http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
	// NextProtos is offered by ALPN; empty offers nothing, which is what the
	// reverse link needs (build protocol, section 2.1).
	NextProtos []string
}

// DialTLS connects to addr, a host:port, and completes the TLS handshake.
// The error names the address, the proxy if there was one, how long it took
// and what came back; see Explain for its hints.
func (d *Dialer) DialTLS(ctx context.Context, addr string) (*tls.Conn, error) {
	start := time.Now()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, hint.With(fmt.Errorf("bad address %q: %w", addr, err), "write it as HOST:PORT")
	}
	tcp, err := d.dialTCP(ctx, addr)
	if err != nil {
		return nil, Explain(err, addr, time.Since(start))
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Client(tcp, &tls.Config{
		ServerName: host,
		RootCAs:    d.Roots,
		NextProtos: d.NextProtos,
		MinVersion: tls.VersionTLS12,
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, Explain(fmt.Errorf("TLS handshake: %w", err), addr, time.Since(start))
	}
	return conn, nil
}

// dialTCP connects to addr directly or through the proxy.
func (d *Dialer) dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	proxyFor := d.Proxy
	if proxyFor == nil {
		proxyFor = http.ProxyFromEnvironment
	}
	proxy, err := proxyFor(&http.Request{URL: &url.URL{Scheme: "https", Host: addr}})
	if err != nil {
		return nil, hint.With(fmt.Errorf("proxy setting: %w", err), "look at HTTPS_PROXY")
	}
	dialer := net.Dialer{Timeout: connectTimeout, KeepAlive: keepAlive}
	if proxy == nil {
		return dialer.DialContext(ctx, "tcp", addr)
	}
	return connectThrough(ctx, &dialer, proxy, addr)
}

// connectThrough asks proxy for a tunnel to addr (RFC 9110, section 9.3.6).
func connectThrough(ctx context.Context, dialer *net.Dialer, proxy *url.URL, addr string) (_ net.Conn, err error) {
	if proxy.Scheme != "http" {
		return nil, hint.With(fmt.Errorf("proxy %s: scheme %q is not supported for tunnels", proxy.Redacted(), proxy.Scheme),
			"give HTTPS_PROXY an http:// address; the tunnel inside is TLS all the same")
	}
	proxyAddr := proxy.Host
	if proxy.Port() == "" {
		proxyAddr = net.JoinHostPort(proxy.Hostname(), "80")
	}
	const look = "is HTTPS_PROXY right, and does that proxy run? NO_PROXY=%s goes around it"
	conn, err := dialer.DialContext(ctx, "tcp", proxyAddr)
	if err != nil {
		return nil, hint.With(fmt.Errorf("proxy %s: %w", proxyAddr, err), look, host(addr))
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn.SetDeadline(time.Now().Add(connectTimeout))

	req := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		req += "Proxy-Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, req+"\r\n"); err != nil {
		return nil, hint.With(fmt.Errorf("proxy %s: %w", proxyAddr, err), look, host(addr))
	}
	br := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	resp, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"})
	if err != nil {
		return nil, hint.With(fmt.Errorf("proxy %s: answer to CONNECT: %w", proxyAddr, err), look, host(addr))
	}
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("proxy %s refused CONNECT %s: %s", proxyAddr, addr, resp.Status)
		if resp.StatusCode < 500 {
			err = &refusedError{err}
		}
		if resp.StatusCode == http.StatusProxyAuthRequired {
			return nil, hint.With(err, "the proxy wants a name and password: HTTPS_PROXY=http://USER:PASSWORD@%s", proxyAddr)
		}
		return nil, hint.With(err, "ask the proxy's owner to allow %s, or put it into NO_PROXY", addr)
	}
	if br.Buffered() > 0 {
		// In TLS the client speaks first, so nothing may stand here.
		return nil, hint.With(fmt.Errorf("proxy %s sent %d bytes after its answer to CONNECT", proxyAddr, br.Buffered()), look, host(addr))
	}
	conn.SetDeadline(time.Time{})
	return conn, nil
}

// refusedError is the answer of a proxy that will be the same next time.
type refusedError struct{ error }

// Lasting reports whether a failed connection would fail in the same way if it
// was tried again at once: a certificate that is not trusted, an answer that is
// not TLS, a name that there is not, a proxy that says no. To ask such a proxy
// again and again may lock an account.
func Lasting(err error) bool {
	var (
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		refused *refusedError
	)
	return errors.As(err, &cert) || errors.As(err, &record) || errors.As(err, &refused) || errors.As(err, &dns) && dns.IsNotFound
}

// OutOfDate reports whether a connection failed since a certificate does not
// hold at this time, by this machine's clock. A machine without a clock of its
// own may be years off until a time server has told it.
func OutOfDate(err error) bool {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	return ok && invalid.Reason == x509.Expired
}

// host returns addr without its port.
func host(addr string) string {
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return name
}
