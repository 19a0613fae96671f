package coordinator

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/botcert"
)

func TestNewRequestRefusals(t *testing.T) {
	f := newFarm(t, maintained)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := newOwner(t, "linux-amd64-joe").key.(*ecdsa.PrivateKey)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM := encodePEM("PRIVATE KEY", keyDER)
	for _, tt := range []struct {
		name   string
		change func(o *owner)
		code   api.Code
		parts  []string
	}{
		{"no host name", func(o *owner) { o.Hostname = "" }, api.CodeBadRequest, []string{"the host name is empty", "GOOS-GOARCH-HANDLE"}},
		{"FQDN", func(o *owner) { o.Hostname = "linux-amd64-joe.bots.golang.org" }, api.CodeBadRequest, []string{"has a dot", "write linux-amd64-joe"}},
		{"markup", func(o *owner) { o.Hostname = "linux-amd64-<b>" }, api.CodeBadRequest, []string{"characters other than"}},
		{"turned", func(o *owner) { o.Hostname = "amd64-linux-joe" }, api.CodeBadRequest, []string{"write linux-amd64-joe"}},
		{"bot's number", func(o *owner) { o.Hostname = "linux-amd64-joe--01" }, api.CodeBadRequest, []string{"write linux-amd64-joe"}},
		{"other port", func(o *owner) { o.Port = "linux-arm" }, api.CodeBadRequest, []string{`port "linux-arm"`, "it is linux-amd64"}},
		{"no port", func(o *owner) { o.Port = "" }, api.CodeBadRequest, []string{"it is linux-amd64"}},
		{"odd host type", func(o *owner) { o.HostType = "../x" }, api.CodeBadRequest, []string{`"../x"`, "as host-linux-amd64"}},
		{"long contact", func(o *owner) { o.Contact = strings.Repeat("é", 201) }, api.CodeBadRequest, []string{"201 characters: at most 200"}},
		{"contact of two lines", func(o *owner) { o.Contact = "joe\nann" }, api.CodeBadRequest, []string{"more than one line"}},
		{"contact that steers", func(o *owner) { o.Contact = "joe\x1b[2J" }, api.CodeBadRequest, []string{"control character U+001B at byte 3"}},
		{"contact that hides", func(o *owner) { o.Contact = "joe\u202egro" }, api.CodeBadRequest, []string{"U+202E"}},
		{"long report", func(o *owner) { o.Report = strings.Repeat("x", maxReport+1) }, api.CodeTooLarge, []string{"32769 bytes"}},
		{"report that steers", func(o *owner) { o.Report = "ok\r\n" }, api.CodeBadRequest, []string{"the report has the control character U+000D"}},
		{"no CSR", func(o *owner) { o.CSR = "" }, api.CodeBadRequest, []string{"empty"}},
		{"CSR without sense", func(o *owner) { o.CSR = "hello" }, api.CodeBadRequest, []string{"CSR"}},
		{"CSR of another host", func(o *owner) { o.CSR = csrFor(t, "linux-amd64-jane", o.key) }, api.CodeBadRequest, []string{"linux-amd64-jane.bots.golang.org", "gobuild csr linux-amd64-joe"}},
		{"private key", func(o *owner) { o.CSR = keyPEM }, api.CodeBadRequest, []string{"private key"}},
		{"CSR and private key", func(o *owner) { o.CSR += keyPEM }, api.CodeBadRequest, []string{"private key"}},
		{"damaged CSR", func(o *owner) { o.CSR = strings.Replace(o.CSR, "MII", "MIJ", 1) }, api.CodeBadRequest, nil},
		{"CSR changed after signing", func(o *owner) { o.CSR = tampered(t, o.CSR) }, api.CodeBadRequest, []string{"signature"}},
		{"Ed25519", func(o *owner) { o.CSR = csrFor(t, o.Hostname, edKey) }, api.CodeBadRequest, []string{"Ed25519"}},
		{"huge RSA key", func(o *owner) { o.CSR = hugeCSR(t, o.Hostname) }, api.CodeBadRequest, []string{"16384 bits: at most 8192", "4096"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOwner(t, "linux-amd64-joe")
			tt.change(o)
			_, err := f.stranger().FileRequest(t.Context(), o.NewRequest, o.key)
			wantRequestError(t, err, tt.code, tt.parts...)
			if err != nil && strings.Contains(err.Error(), keyPEM[30:60]) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
	if list, err := f.client("ann").Requests(t.Context(), true); err != nil || len(list) != 0 {
		t.Errorf("filed: %+v, %v", list, err)
	}
	// What looks odd and is not.
	o := newOwner(t, "linux-sparc64-joe") // a port that Go does not have yet
	o.HostType, o.Contact, o.Report = "", strings.Repeat("é", 200), strings.Repeat("é\t\n ", maxReport/5)
	if got := f.file(o); got.Report != o.Report || got.Contact != o.Contact || got.HostType != "" {
		t.Errorf("filed: %+v", got)
	}
}

// tampered returns a CSR whose signature is not that of its key.
func tampered(t *testing.T, csr string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(csr))
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.Index(block.Bytes, parsed.RawSubject) + len(parsed.RawSubject)
	block.Bytes[end-1]++ // the last letter of the name
	return string(pem.EncodeToMemory(block))
}

// hugeCSR returns a CSR with an RSA key of 16384 bits and a signature of the
// right size. Nobody needs to have the private key.
func hugeCSR(t *testing.T, hostname string) string {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), 16383)
	spki, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 1<<31 - 1})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(newOwner(t, hostname).CSR))
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	type info struct {
		Version       int
		Subject, SPKI asn1.RawValue
		Attributes    asn1.RawValue
	}
	der, err := asn1.Marshal(struct {
		Info      info
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		info{Subject: asn1.RawValue{FullBytes: parsed.RawSubject}, SPKI: asn1.RawValue{FullBytes: spki},
			Attributes: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true}},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: asn1.NullRawValue},
		asn1.BitString{Bytes: make([]byte, 2048), BitLength: 8 * 2048},
	})
	if err != nil {
		t.Fatal(err)
	}
	return encodePEM("CERTIFICATE REQUEST", der)
}

func TestRequestBodies(t *testing.T) {
	f := newFarm(t, maintained)
	o := newOwner(t, "linux-amd64-joe")
	good, err := json.Marshal(o.NewRequest)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, body string
		code       api.Code
		part       string
	}{
		{"empty", "", api.CodeBadRequest, "EOF"},
		{"HTML", "<html>", api.CodeBadRequest, "invalid character"},
		{"null", "null", api.CodeBadRequest, "host name is empty"},
		{"list", "[]", api.CodeBadRequest, "cannot unmarshal"},
		{"number as a name", `{"hostname":7}`, api.CodeBadRequest, "cannot unmarshal"},
		{"field of the future", `{"hostname":"x","colour":"red"}`, api.CodeBadRequest, `unknown field "colour"`},
		{"two objects", string(good) + "{}", api.CodeBadRequest, "something follows"},
		{"too long", string(good) + strings.Repeat(" ", api.MaxNewRequest), api.CodeTooLarge, "longer than 65536 bytes"},
		{"deep", strings.Repeat("[", 60000), api.CodeBadRequest, "depth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantRefusal(t, f.send(t, "POST", api.RouteRequests, []byte(tt.body), o.key, nil), tt.code, tt.part)
		})
	}
	resp := f.send(t, "POST", api.RouteRequests, good, o.key, nil)
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a good one: %s, %v", resp.Status, resp.Header)
	}
	if resp := f.send(t, "POST", api.RouteRequests, good, o.key, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("again: %s", resp.Status)
	}
}

// Nobody holds a connection by a body that never ends, known or not.
func TestEndlessBody(t *testing.T) {
	opts := maintained
	opts.BodyWait = 50 * time.Millisecond
	f := newFarm(t, opts)
	basic := func(user string) string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, f.master.Key(user))
		return "Authorization: " + r.Header.Get("Authorization") + "\r\n"
	}
	for _, tt := range []struct {
		name, call, header string
		status             int
	}{
		{"stranger files", "POST " + api.RouteRequests, "", 400},
		{"stranger approves", "POST " + api.RequestPath("x.1", api.PathApprove), "", 401},
		{"user rejects", "POST " + api.RequestPath("x.1", api.PathReject), basic("user-joe"), 403},
		{"maintainer rejects", "POST " + api.RequestPath("x.1", api.PathReject), basic("user-ann"), 400},
		{"machine creates", "POST " + api.RouteInstances, basic(testType), 403},
		{"user creates", "POST " + api.RouteInstances, basic("user-joe"), 400},
		{"owner looks", "GET " + api.RequestPath("x.1", ""), api.HeaderProof + ": AAAA\r\n", 404},
		{"owner collects", "POST " + api.RequestPath("x.1", api.PathCollect), api.HeaderProof + ": AAAA\r\n", 404},
		{"stranger looks at a long page", "GET " + api.RouteBuilders, "", 200},
		{"no such route", "POST /api/v1/x", "", 404},
		{"no such method", "PUT " + api.RouteStatus, "", 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := f.dialRaw()
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: 100\r\n\r\n{", tt.call, tt.header)
			if status, body := answer(t, conn); status != tt.status {
				t.Errorf("%d %s, want %d", status, body, tt.status)
			}
		})
	}
	// Time for one's body is not time for the answer, nor for the next.
	o := newOwner(t, "linux-amd64-joe")
	id := f.file(o).ID
	ann := f.client("ann")
	for range 3 {
		time.Sleep(opts.BodyWait)
		if _, err := ann.Request(t.Context(), id, nil); err != nil {
			t.Error(err)
		}
	}
}

// certify returns a certificate for a key, PEM, by a CA made for it.
func certify(t *testing.T, hostname string, pub crypto.PublicKey, from, until time.Time) string {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := devTemplate(botcert.FQDN(hostname))
	leaf.NotBefore, leaf.NotAfter = from, until
	der, err := x509.CreateCertificate(rand.Reader, leaf, devTemplate("a farm's CA"), pub, caKey)
	if err != nil {
		t.Fatal(err)
	}
	return encodePEM("CERTIFICATE", der)
}

func TestApprovals(t *testing.T) {
	opts := maintained
	opts.RequestsPerHour = 1000
	f := newFarm(t, opts)
	ann, bob := f.client("ann"), f.client("bob")
	ctx := t.Context()
	o, other := newOwner(t, "linux-amd64-joe"), newOwner(t, "linux-amd64-jane")
	now := time.Now()
	hour, cert := time.Hour, func(hostname string, o *owner, from, until time.Duration) string {
		return certify(t, hostname, o.key.Public(), now.Add(from), now.Add(until))
	}
	good := cert(o.Hostname, o, -hour, hour)
	id := f.file(o).ID
	for _, tt := range []struct {
		name  string
		with  api.Approval
		parts []string
	}{
		{"nothing", api.Approval{}, []string{"the approval is empty"}},
		{"blanks", api.Approval{Note: " \n"}, []string{"the approval is empty"}},
		{"slip", api.Approval{HostType: "host-linux-amd46"}, []string{"unknown host type", "is it host-linux-amd64?"}},
		{"unknown", api.Approval{HostType: "something else"}, []string{"unknown host type", "/builders"}},
		{"long note", api.Approval{Note: strings.Repeat("x", 1001)}, []string{"1001 characters"}},
		{"note that steers", api.Approval{Note: "\x07"}, []string{"U+0007"}},
		{"no certificate", api.Approval{Certificate: "hello"}, []string{"certificate"}},
		{"CSR for a certificate", api.Approval{Certificate: o.CSR}, []string{"CSR"}},
		{"for another key", api.Approval{Certificate: cert(o.Hostname, other, -hour, hour)}, []string{"another key", "show --csr " + id}},
		{"for another name", api.Approval{Certificate: cert(other.Hostname, o, -hour, hour)}, []string{"name: linux-amd64-jane.bots.golang.org, wanted linux-amd64-joe.bots.golang.org"}},
		{"expired", api.Approval{Certificate: cert(o.Hostname, o, -2*hour, -hour)}, []string{"valid: expired"}},
		{"not yet valid", api.Approval{Certificate: cert(o.Hostname, o, hour, 2*hour)}, []string{"valid: not before"}},
		{"good and bad", api.Approval{HostType: testType, Certificate: "x"}, []string{"certificate"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ann.Approve(ctx, id, tt.with)
			wantRequestError(t, err, api.CodeBadRequest, tt.parts...)
		})
	}
	if got := f.status(o, id); got.State != api.RequestPending {
		t.Fatalf("after all that: %+v", got)
	}

	// Host type, then certificate; the key of a CA that came along is dropped.
	if _, err := ann.Approve(ctx, id, api.Approval{HostType: testType}); err != nil {
		t.Fatal(err)
	}
	got, err := bob.Approve(ctx, id, api.Approval{Certificate: good + encodePEM("PRIVATE KEY", []byte("x")), Note: "here it is"})
	if err != nil || got.Certificate != good || got.HostType != testType || got.DecidedBy != "user-bob" || got.Note != "here it is" {
		t.Errorf("certificate added: %+v, %v", got, err)
	}
	if seen := f.collect(o, id); seen.Certificate != good || seen.BuilderKey == "" {
		t.Errorf("the owner sees %+v", seen)
	}
	// The same again changes nothing, another decision is refused.
	if again, err := ann.Approve(ctx, id, api.Approval{HostType: testType, Certificate: good}); err != nil || again.DecidedBy != "user-bob" || again.Changed != got.Changed {
		t.Errorf("again: %+v, %v", again, err)
	}
	_, err = ann.Approve(ctx, id, api.Approval{HostType: "host-linux-arm"})
	wantRequestError(t, err, api.CodeConflict, id, "approved by user-bob at ", "it has a host type already", "--revoke")
	_, err = ann.Approve(ctx, id, api.Approval{Certificate: cert(o.Hostname, o, -hour, 2*hour)})
	wantRequestError(t, err, api.CodeConflict, "it has a certificate already")
	_, err = ann.Reject(ctx, id, api.Rejection{Reason: "no"})
	wantRequestError(t, err, api.CodeConflict, "approved by user-bob", "reject --revoke "+id)
	if seen := f.status(o, id); seen.State != api.RequestApproved || seen.HostType != testType {
		t.Errorf("after all that: %+v", seen)
	}

	// Revoked, the host name is free for another key.
	got, err = ann.Reject(ctx, id, api.Rejection{Reason: "key lost", Revoke: true})
	if err != nil || got.State != api.RequestRejected || got.Turn != api.TurnNobody || got.Reason != "key lost" || got.Certificate != "" {
		t.Errorf("revoked: %+v, %v", got, err)
	}
	if seen := f.collect(o, id); seen.BuilderKey != "" || seen.Certificate != "" || seen.Reason != "key lost" {
		t.Errorf("the owner sees %+v", seen)
	}
	_, err = bob.Approve(ctx, id, api.Approval{HostType: testType})
	wantRequestError(t, err, api.CodeConflict, "rejected by user-ann", "new request")
	if second := f.file(newOwner(t, o.Hostname)); second.ID != "linux-amd64-joe.2" {
		t.Errorf("the new request: %+v", second)
	}
}

// Of a machine that works elsewhere the coordinator sees only that its owner
// has got the certificate.
func TestCertificateOnly(t *testing.T) {
	f := newFarm(t, maintained)
	ann, o := f.client("ann"), newOwner(t, "linux-amd64-joe")
	id := f.file(o).ID
	turn := func(want string) {
		t.Helper()
		if got, err := ann.Request(t.Context(), id, nil); err != nil || got.State != api.RequestApproved || got.Turn != want {
			t.Errorf("%+v, %v, want the turn of %s", got, err, want)
		}
	}
	approve := func(a api.Approval) {
		t.Helper()
		if _, err := ann.Approve(t.Context(), id, a); err != nil {
			t.Fatal(err)
		}
	}
	approve(api.Approval{Note: "the certificate comes tomorrow"})
	turn(api.TurnOwner)
	f.status(o, id) // who looks has got nothing
	turn(api.TurnOwner)
	if got := f.collect(o, id); got.Turn != api.TurnNobody || got.Collected.IsZero() {
		t.Errorf("collected: %+v", got)
	}
	turn(api.TurnNobody)
	seen, err := f.opts.Store.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	approve(api.Approval{Certificate: certify(t, o.Hostname, o.key.Public(), time.Now().Add(-time.Hour), time.Now().Add(time.Hour))})
	turn(api.TurnOwner)
	seen.Collected = time.Time{}
	f.asked.collected(seen) // who asked before the certificate was there has not got it
	turn(api.TurnOwner)
	f.collect(o, id)
	turn(api.TurnNobody)
}

// A machine may be connected before its owner's request is approved.
func TestConnectedBeforeApproval(t *testing.T) {
	f := newFarm(t, maintained)
	f.join("linux-amd64-joe", testType)
	id := f.file(newOwner(t, "linux-amd64-joe")).ID
	got, err := f.client("ann").Approve(t.Context(), id, api.Approval{HostType: testType})
	if err != nil || got.State != api.RequestConnected || got.Turn != api.TurnNobody {
		t.Errorf("%+v, %v", got, err)
	}
}

// What cannot register is no host type to grant.
func TestApprovalOfACloudType(t *testing.T) {
	f := newFarm(t, maintained)
	f.opts.Config.Hosts["host-linux-arm"].IsReverse = false
	id := f.file(newOwner(t, "linux-arm-joe")).ID
	_, err := f.client("ann").Approve(t.Context(), id, api.Approval{HostType: "host-linux-arm"})
	wantRequestError(t, err, api.CodeBadRequest, "none of dedicated machines")
}

func TestRejections(t *testing.T) {
	f := newFarm(t, maintained)
	ann, bob := f.client("ann"), f.client("bob")
	ctx := t.Context()
	o := newOwner(t, "linux-amd64-joe")
	id := f.file(o).ID
	for reason, part := range map[string]string{"": "no reason", " \t\n": "no reason", strings.Repeat("x", 1001): "1001 characters", "\x00": "U+0000"} {
		_, err := ann.Reject(ctx, id, api.Rejection{Reason: reason})
		wantRequestError(t, err, api.CodeBadRequest, part)
	}
	no := api.Rejection{Reason: "we have three of these"}
	got, err := ann.Reject(ctx, id, no)
	if err != nil || got.State != api.RequestRejected || got.Turn != api.TurnNobody || got.Reason != no.Reason || got.DecidedBy != "user-ann" {
		t.Errorf("%+v, %v", got, err)
	}
	if again, err := ann.Reject(ctx, id, no); err != nil || again != got {
		t.Errorf("sent twice: %+v, %v", again, err)
	}
	_, err = bob.Reject(ctx, id, no)
	wantRequestError(t, err, api.CodeConflict, "rejected by user-ann at ")
	if seen := f.status(o, id); seen != got {
		t.Errorf("the owner sees %+v", seen)
	}
	if list, err := ann.Requests(ctx, false); err != nil || len(list) != 0 {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if again := f.file(o); again.ID != "linux-amd64-joe.2" {
		t.Errorf("filed anew: %+v", again)
	}
}

func TestLimiter(t *testing.T) {
	now := time.Now()
	l := newLimiter(2, time.Hour)
	take := func(addr string, at time.Duration, want bool, wantWait time.Duration) {
		t.Helper()
		wait, ok := l.take(addr, now.Add(at))
		if ok != want || wait != wantWait {
			t.Errorf("%s at %s: %t, %s, want %t, %s", addr, at, ok, wait, want, wantWait)
		}
	}
	take("192.0.2.1:1", 0, true, 0)
	take("[::ffff:192.0.2.1]:2", 10*time.Minute, true, 0)
	take("192.0.2.1:3", 20*time.Minute, false, 40*time.Minute)
	take("192.0.2.2:1", 20*time.Minute, true, 0)
	take("[2001:db8::1]:1", 20*time.Minute, true, 0)
	take("[2001:db8::ffff:1]:1", 21*time.Minute, true, 0)
	take("[2001:db8::2]:1", 22*time.Minute, false, 58*time.Minute)
	take("[2001:db8:0:1::1]:1", 22*time.Minute, false, 58*time.Minute)
	take("[2001:db8:1::1]:1", 22*time.Minute, true, 0)
	take("192.0.2.1:4", time.Hour, true, 0)
	take("192.0.2.1:4", time.Hour, false, 10*time.Minute)
	l.giveBack("192.0.2.1:9", now.Add(time.Hour))
	l.giveBack("192.0.2.1:9", now.Add(time.Hour)) // no second time
	take("192.0.2.1:4", time.Hour, true, 0)
	take("nonsense", time.Hour, true, 0)
	take("[fe80::1%eth0]:1", time.Hour, true, 0)
	// What is long past takes no room.
	take("192.0.2.3:1", 3*time.Hour, true, 0)
	if len(l.used) != 1 {
		t.Errorf("remembered: %v", l.used)
	}
	l.giveBack("192.0.2.3:1", now.Add(3*time.Hour))
	if len(l.used) != 0 {
		t.Errorf("remembered: %v", l.used)
	}
}

// Whatever a stranger sends, with a good proof too, the coordinator neither
// fails nor takes in what it should not.
func FuzzRequestBody(f *testing.F) {
	o := newOwner(f, "linux-amd64-joe")
	good, err := json.Marshal(o.NewRequest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, seed := range []string{"", "null", "{}", `{"hostname":"linux-amd64-joe","port":"linux-amd64","csr":"-----BEGIN"}`, `{"hostname":{}}`, "[[[["} {
		f.Add([]byte(seed))
	}
	f.Add(bytes.Replace(good, []byte("joe@example.org"), []byte(`\u001b]0;\ud800`), 1))
	f.Add(bytes.Replace(good, []byte("ok "), []byte("<script>"), 1))
	c, err := New(Options{Master: devMaster, Log: testLog(), Maintainers: []string{"user-ann"}, RequestsPerHour: 1 << 30})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	cert, err := DevCertificate(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	leaf, err := certLeaf(cert)
	if err != nil {
		f.Fatal(err)
	}
	c.cert.Store(leaf)
	f.Fuzz(func(t *testing.T, body []byte) {
		req := httptest.NewRequest("POST", "https://localhost"+api.RouteRequests, bytes.NewReader(body))
		req.TLS = &tls.ConnectionState{}
		if err := api.Prove(req, body, o.key, time.Now()); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		c.ServeHTTP(w, req)
		resp := w.Result()
		text, _ := io.ReadAll(resp.Body)
		switch resp.StatusCode {
		case http.StatusOK, http.StatusCreated:
			var got api.Request
			if err := json.Unmarshal(text, &got); err != nil || got.Hostname != o.Hostname || got.Port != o.Port ||
				strings.ContainsAny(got.Contact+got.HostType, "\x00\x1b\n") || strings.ContainsAny(got.Report, "\x00\x1b\r") {
				t.Errorf("taken in: %s (%v)", text, err)
			}
		default:
			if err := api.ParseError(resp, text); resp.StatusCode >= 500 || err == nil {
				t.Errorf("%s: %s", resp.Status, text)
			}
		}
	})
}
