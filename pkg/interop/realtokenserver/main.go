// Realtokenserver is a LUCI token server made of the packages that the one in
// production is made of, with everything that they keep held in memory. It
// mints machine tokens and says of a token what Swarming's code makes of it.
//
// It is a program of its own because its protobuf messages have the names of
// gobuild's, and a process can hold a name once. It is a module of its own
// because these packages do not compile with the versions of others that the
// rest of the peers need.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.chromium.org/luci/auth/identity"
	"go.chromium.org/luci/common/clock"
	"go.chromium.org/luci/common/logging/gologger"
	"go.chromium.org/luci/config"
	"go.chromium.org/luci/config/cfgclient"
	configmemory "go.chromium.org/luci/config/impl/memory"
	"go.chromium.org/luci/config/impl/resolving"
	"go.chromium.org/luci/config/vars"
	"go.chromium.org/luci/gae/impl/memory"
	"go.chromium.org/luci/gae/service/datastore"
	"go.chromium.org/luci/grpc/prpc"
	"go.chromium.org/luci/server/auth"
	"go.chromium.org/luci/server/auth/authtest"
	"go.chromium.org/luci/server/caching"
	"go.chromium.org/luci/server/router"
	"go.chromium.org/luci/tokenserver/api/admin/v1"
	"go.chromium.org/luci/tokenserver/api/minter/v1"
	"go.chromium.org/luci/tokenserver/appengine/impl/certconfig"
	"go.chromium.org/luci/tokenserver/appengine/impl/services/minter/tokenminter"
	"go.chromium.org/luci/tokenserver/auth/machine"
)

const (
	appID   = "rehearsal"
	account = "rehearsal@gobuild.iam.gserviceaccount.com"
)

func main() {
	var opts options
	flag.StringVar(&opts.addr, "addr", "127.0.0.1:0", "`address` to listen on")
	flag.StringVar(&opts.config, "config", "", "`directory` with tokenserver.cfg and what it names")
	flag.StringVar(&opts.trust, "trust", "", "JSON `file` with more token servers to trust: e-mail, key id, certificate")
	flag.DurationVar(&opts.skew, "skew", 0, "how far the clock is ahead")
	flag.Parse()
	if err := serve(opts); err != nil {
		log.Fatal(err)
	}
}

type options struct {
	addr, config, trust string
	skew                time.Duration
}

func serve(opts options) error {
	signer, err := newSigner(opts.skew)
	if err != nil {
		return err
	}
	ctx, err := services(opts, signer)
	if err != nil {
		return err
	}
	if err := importCAs(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return err
	}
	fmt.Println("listening on", listener.Addr())
	server := &http.Server{
		Handler:     routes(signer),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	return server.Serve(listener)
}

// routes returns the token server's own routes, one that tells whose token a
// request carries, and the one where a service account's keys are found.
func routes(signer *signer) http.Handler {
	r := router.New()
	rpc := prpc.Server{
		// As in production, where the request itself is the proof.
		UnaryServerInterceptor: auth.AuthenticatingInterceptor([]auth.Method{&machine.MachineTokenAuthMethod{}}).Unary(),
	}
	minter.RegisterTokenMinterServer(&rpc, tokenminter.NewServer(signer, false))
	rpc.InstallHandlers(r, nil)

	r.GET("/verify", router.NewMiddlewareChain(auth.Authenticate(&machine.MachineTokenAuthMethod{})), func(c *router.Context) {
		ctx := c.Request.Context()
		fmt.Fprintln(c.Writer, auth.CurrentIdentity(ctx))
		if info := machine.GetMachineTokenInfo(ctx); info != nil {
			fmt.Fprintln(c.Writer, "ca", info.CA)
			fmt.Fprintln(c.Writer, "serial", new(big.Int).SetBytes(info.CertSN))
		}
	})
	r.GET("/keys", nil, func(c *router.Context) {
		json.NewEncoder(c.Writer).Encode(map[string]map[string]string{account: signer.keys()})
	})
	return r
}

// services returns a context with the services that the packages expect.
func services(opts options, signer *signer) (context.Context, error) {
	ctx := gologger.StdConfig.Use(context.Background())
	ctx = memory.UseWithAppID(ctx, appID)
	datastore.GetTestable(ctx).Consistent(true) // so that what was put is found at once
	datastore.GetTestable(ctx).AutoIndex(true)
	ctx = caching.WithEmptyProcessCache(ctx)
	ctx = clock.Set(ctx, skewed{clock.GetSystemClock(), opts.skew})

	files := configmemory.Files{}
	err := fs.WalkDir(os.DirFS(opts.config), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(opts.config, path))
		files[path] = string(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	names := &vars.VarSet{}
	names.Register("appid", func(context.Context) (string, error) { return appID, nil })
	ctx = cfgclient.Use(ctx, resolving.New(names, configmemory.New(map[config.Set]configmemory.Files{"services/" + appID: files})))

	keys := accountKeys{account: signer.keys()}
	if opts.trust != "" {
		text, err := os.ReadFile(opts.trust)
		if err == nil {
			err = json.Unmarshal(text, &keys)
		}
		if err != nil {
			return nil, err
		}
	}
	db := authtest.NewFakeDB()
	for email := range keys {
		db.AddMocks(authtest.MockMembership(identity.Identity("user:"+email), machine.TokenServersGroup))
	}
	return auth.ModifyConfig(db.Use(ctx), func(cfg auth.Config) auth.Config {
		cfg.Signer = signer
		cfg.AnonymousTransport = func(context.Context) http.RoundTripper { return keys }
		return cfg
	}), nil
}

// importCAs takes over the configuration, and the CRL of each CA that has one.
// A CRL that is not to be had leaves its CA not ready, as it would be.
func importCAs(ctx context.Context) error {
	if _, err := (&certconfig.ImportCAConfigsRPC{}).ImportCAConfigs(ctx, nil); err != nil {
		return err
	}
	names, err := certconfig.ListCAs(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := (&certconfig.FetchCRLRPC{}).FetchCRL(ctx, &admin.FetchCRLRequest{Cn: name}); err != nil {
			log.Printf("CRL of %s: %v", name, err)
		}
	}
	return nil
}

// skewed is a clock that is wrong.
type skewed struct {
	clock.Clock
	ahead time.Duration
}

func (c skewed) Now() time.Time { return c.Clock.Now().Add(c.ahead) }

// accountKeys stands in for the place where Google shows the public keys of
// service accounts: e-mail, key id, certificate. It lets all else pass.
type accountKeys map[string]map[string]string

func (k accountKeys) RoundTrip(r *http.Request) (*http.Response, error) {
	email, ok := strings.CutPrefix(r.URL.String(), "https://www.googleapis.com/robot/v1/metadata/x509/")
	if !ok {
		return http.DefaultTransport.RoundTrip(r)
	}
	text, err := json.Marshal(k[strings.ReplaceAll(email, "%40", "@")])
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Body: body(text), Request: r}, nil
}

func newSigner(skew time.Duration) (*signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	now := time.Now().Add(skew)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &signer{key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}, nil
}
