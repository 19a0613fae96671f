package coordinator

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/build/revdial/v2"

	"gobuild/pkg/api"
	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
)

// switching is the answer that turns a request into a control connection. It
// is sent in one write, so in one TLS record, and nothing else goes with it:
// upstream's buildlets lose what does (build protocol, section 2.4). Its last
// header announces to gobuild's what else this coordinator does.
const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: revdial\r\nGobuild-Additions: ping, claim, status\r\n\r\n"

// hostnameForm is what a host name may look like: it is shown on pages and
// put into names.
var hostnameForm = lazyre.New(`^[A-Za-z0-9][A-Za-z0-9._:-]*$`)

// maxHostname is the longest host name, in bytes; a count in the pattern would
// take a millisecond to compile at every start.
const maxHostname = 253

// serveReverse registers a worker (build protocol, sections 2.2 to 2.4). The
// texts of the first refusals are upstream's.
func (c *Coordinator) serveReverse(w http.ResponseWriter, r *http.Request) {
	var (
		hostType = r.Header.Get("X-Go-Host-Type")
		hostname = r.Header.Get("X-Go-Builder-Hostname")
		revdial  = r.Header.Get("X-Revdial-Version")
	)
	refuse := func(status int, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		c.log.Warn("registration refused", "addr", r.RemoteAddr, "hostname", hostname, "hostType", hostType, "status", status, "why", text)
		http.Error(w, text, status)
	}
	switch {
	case r.TLS == nil:
		refuse(http.StatusInternalServerError, "buildlet registration requires SSL")
		return
	case revdial == "":
		refuse(http.StatusBadRequest, "buildlet binary is too old")
		return
	case revdial != "2":
		refuse(http.StatusBadRequest, "unknown revdial version")
		return
	case hostname == "":
		refuse(http.StatusBadRequest, "missing X-Go-Builder-Hostname header")
		return
	case hostType == "":
		refuse(http.StatusBadRequest, "missing X-Go-Host-Type; old buildlet binary?")
		return
	case !c.opts.Master.Verify(hostType, r.Header.Get("X-Go-Builder-Key")):
		refuse(http.StatusPreconditionFailed, "invalid build key: it is not the key of %.100q made from this coordinator's master key", hostType)
		return
	case c.opts.Config.Hosts[hostType] == nil:
		text := fmt.Sprintf("unknown host type %.100q: this coordinator's configuration has none of that name", hostType)
		if near := hint.Nearest(hostType, c.opts.Config.HostTypes()); near != "" {
			text += fmt.Sprintf("; is it %s?", near)
		}
		refuse(http.StatusBadRequest, "%s", text)
		return
	case len(hostname) > maxHostname || !hostnameForm.MatchString(hostname):
		refuse(http.StatusBadRequest, "bad X-Go-Builder-Hostname %.100q: letters, digits and . _ : - are allowed, 253 at most", hostname)
		return
	}
	process := r.Header.Get("X-Gobuild-Process")
	free, ok := c.names.lock(r.Context(), hostType+" "+hostname)
	if !ok {
		refuse(http.StatusTooManyRequests, "too many want to register as %s at once", hostname)
		return
	}
	defer free()
	if older := c.pool.holder(hostname, hostType); older != nil {
		if !c.giveWay(older, process, r.RemoteAddr) {
			refuse(http.StatusConflict, "%s is connected as %s from %s already, and answers: two machines, that one and this one at %s, cannot have one name",
				hostname, hostType, older.addr, r.RemoteAddr)
			return
		}
	}
	conn, buf, err := takeOver(w, r)
	if err != nil {
		refuse(http.StatusHTTPVersionNotSupported, "%v", err)
		return
	}
	if buf.Reader.Buffered() > 0 {
		c.log.Warn("registration refused", "addr", r.RemoteAddr, "hostname", hostname, "why", "it sent bytes before the 101")
		conn.Close()
		return
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write([]byte(switching)); err != nil {
		c.log.Warn("registration broke off", "addr", r.RemoteAddr, "hostname", hostname, "err", err)
		conn.Close()
		return
	}
	conn.SetDeadline(time.Time{})
	h := newHost(conn, hostname, hostType, fmt.Sprintf("%.20s", r.Header.Get("X-Go-Builder-Version")), c.log)
	h.process = process
	c.pool.add(h)
}

// serveRevdial takes in the connection that a worker opened for a dial
// (build protocol, section 2.6).
func (c *Coordinator) serveRevdial(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 {
		http.Error(w, errNotHTTP1.Error(), http.StatusHTTPVersionNotSupported)
		return
	}
	revdial.ConnHandler().ServeHTTP(w, r)
}

var errNotHTTP1 = api.Errorf(api.CodeBadRequest, "a connection can be taken over with HTTP/1.1 only")

// takeOver hijacks the connection of r.
func takeOver(w http.ResponseWriter, r *http.Request) (conn net.Conn, buf *bufio.ReadWriter, err error) {
	if r.ProtoMajor != 1 {
		return nil, nil, errNotHTTP1
	}
	return http.NewResponseController(w).Hijack()
}
