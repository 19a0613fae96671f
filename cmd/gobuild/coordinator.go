package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/coordinator"
	"gobuild/pkg/hint"
	"gobuild/pkg/version"
)

// coordinatorFlags are the flags of "gobuild coordinator".
type coordinatorFlags struct {
	listen, builders, masterKey, tlsCert, tlsKey string
	downloads                                    string
	maintainers                                  []string
	dev                                          bool
}

// newCoordinatorCommand returns "gobuild coordinator".
func newCoordinatorCommand(a *app) *cobra.Command {
	var f coordinatorFlags
	cmd := &cobra.Command{
		Use:     "coordinator",
		GroupID: groupMaintainer,
		Short:   "Serve a farm: machines register here, people get instances of them",
		Long: `Coordinator serves a farm. Buildlets, gobuild's and upstream's, register with
it and stand in its reverse pool; people make instances of them with
"gobuild gomote" and work on them through it. Its status page is at /, the
configuration at /builders.

It needs the farm's master key, from which the keys of machines and people are
made, and a certificate. With --dev it takes upstream's development master key,
which everybody knows, makes itself a certificate, and listens on this machine
only.

Owners of new machines may ask to be taken in ("gobuild request"); the users
named by --maintainer decide on that with "gobuild requests". Without one, or
--dev, such requests are refused.`,
		Example: `  gobuild coordinator --dev
  gobuild coordinator --listen :443 --master-key master.key --tls-cert farm.crt --tls-key farm.key --maintainer joe`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.coordinate(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "localhost:8119", "`ADDR` to listen on, HOST:PORT")
	flags.StringVar(&f.builders, "builders", "", "`FILE` with host and builder types: a builders.go, or JSON in the shape of /builders?mode=json (default: one of each for every port)")
	flags.StringVar(&f.masterKey, "master-key", "", "`FILE` with the farm's master key (default keys/gobuilder-master.key in the home directory)")
	flags.StringVar(&f.tlsCert, "tls-cert", "", "PEM `FILE` with the certificate, and its chain")
	flags.StringVar(&f.tlsKey, "tls-key", "", "PEM `FILE` with the certificate's private key")
	flags.StringVar(&f.downloads, "dl", "", "`DIR` with the buildlets to serve at /dl/, which gobuild release publish fills")
	flags.StringArrayVar(&f.maintainers, "maintainer", nil, "`NAME` of a user, without user-, who decides on requests for new machines; may be given several times")
	flags.BoolVar(&f.dev, "dev", false, "development master key and self-made certificate, on this machine only")
	for _, name := range []string{"listen", "builders", "tls-cert", "tls-key", "dl"} {
		bindConfig(flags, name, name)
	}
	bindConfig(flags, "master-key", "master-key-file")
	cmd.MarkFlagsMutuallyExclusive("dev", "master-key")
	cmd.MarkFlagsMutuallyExclusive("dev", "tls-cert")
	cmd.MarkFlagDirname("dl")
	return cmd
}

func (a *app) coordinate(cmd *cobra.Command, f coordinatorFlags) error {
	if f.dev {
		if err := loopbackOnly("--listen", f.listen); err != nil {
			return err
		}
	}
	switch {
	case f.dev:
	case f.tlsCert == "" && f.tlsKey != "":
		return usageErrorf("--tls-key %s without its certificate: --tls-cert is missing", f.tlsKey)
	case f.tlsCert != "" && f.tlsKey == "":
		return usageErrorf("--tls-cert %s without its private key: --tls-key is missing", f.tlsCert)
	case f.tlsCert == "":
		return hint.With(usageErrorf("no certificate: machines and people register over TLS only"),
			"give --tls-cert and --tls-key, or try things out with --dev")
	}
	maintainers, err := principals(f.maintainers)
	if err != nil {
		return err
	}
	if f.downloads != "" {
		if info, err := os.Stat(f.downloads); err != nil || !info.IsDir() {
			return hint.With(fmt.Errorf("--dl %s is no directory that can be read", f.downloads), "gobuild release publish --dir %s makes and fills it", f.downloads)
		}
	}
	master, err := a.masterKey(f)
	if err != nil {
		return err
	}
	config, err := readBuilders(f.builders)
	if err != nil {
		return err
	}
	cert, ca, err := a.certificate(f)
	if err != nil {
		return err
	}
	log := a.logger()
	slog.SetDefault(log) // the revdial package logs there
	ln, err := net.Listen("tcp", f.listen)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // the rest says again where
		}
		return hint.With(fmt.Errorf("listen on %s: %w", f.listen, err),
			"another program may have the port, or this user may not listen there; choose another address with --listen HOST:PORT")
	}
	c, err := coordinator.New(coordinator.Options{
		Master: master, Config: config, Dev: f.dev, Log: log,
		Maintainers: maintainers, Downloads: f.downloads,
		Program: "gobuild " + version.String(),
	})
	if err != nil {
		ln.Close()
		return err
	}
	url := "https://" + reachable(ln.Addr())
	log.Info("serving", "url", url, "status", url+"/status", "master", master)
	if f.dev {
		log.Info("development mode", "ca", ca, "hint", "give --dev to gobuild buildlet, status and gomote too")
	}
	return c.Serve(cmd.Context(), ln, cert)
}

// principals returns the principals of the users that --maintainer names.
func principals(names []string) ([]string, error) {
	var list []string
	for _, name := range names {
		if strings.TrimPrefix(name, builderkey.UserPrefix) == "" || strings.ContainsAny(name, " \t,") {
			return nil, hint.With(usageErrorf("--maintainer %q is no user's name", name), "for several users give --maintainer several times")
		}
		list = append(list, builderkey.UserPrincipal(name))
	}
	return list, nil
}

// masterKey returns the farm's master key.
func (a *app) masterKey(f coordinatorFlags) (builderkey.Master, error) {
	if f.dev {
		return builderkey.DevMaster(), nil
	}
	return a.readMaster(f.masterKey, "name the file with --master-key, or try things out with --dev")
}

// certificate returns the server's certificate, and with --dev the file that
// its clients trust.
func (a *app) certificate(f coordinatorFlags) (cert tls.Certificate, ca string, err error) {
	if f.dev {
		dir, err := a.devDir()
		if err != nil {
			return cert, "", err
		}
		cert, err = coordinator.DevCertificate(dir)
		return cert, filepath.Join(dir, coordinator.DevCA), err
	}
	if cert, err = tls.LoadX509KeyPair(f.tlsCert, f.tlsKey); err != nil {
		err = fmt.Errorf("certificate %s with key %s: %w", f.tlsCert, f.tlsKey, err)
	}
	return cert, "", err
}

func readBuilders(file string) (*buildconfig.Config, error) {
	if file == "" {
		return buildconfig.Default(), nil
	}
	const form = "--builders names a builders.go, or a JSON file in the shape of a coordinator's page /builders?mode=json"
	if strings.HasSuffix(file, ".go") {
		return readBuildersGo(file)
	}
	r, err := os.Open(file)
	if err != nil {
		return nil, hint.With(fmt.Errorf("host and builder types: %w", err), form)
	}
	defer r.Close()
	c, err := buildconfig.Read(r)
	if err != nil {
		return nil, hint.With(fmt.Errorf("%s: %w", file, err), form)
	}
	return c, nil
}

// readBuildersGo reads a builders.go. What is wrong in it stops the coordinator
// before it starts, as it would upstream's.
func readBuildersGo(file string) (*buildconfig.Config, error) {
	src, err := buildconfig.ReadSource(file, nil)
	if err != nil {
		return nil, fmt.Errorf("host and builder types: %w", err)
	}
	c, err := src.Config()
	if err != nil {
		return nil, hint.With(fmt.Errorf("host and builder types: %w", err), "gobuild lint %s says more", file)
	}
	return c, nil
}

// reachable returns addr as one can call it from this machine.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() && !ip.IsLoopback() {
		return addr.String()
	}
	return net.JoinHostPort("localhost", port)
}
