package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/coordinator"
	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/version"
)

// coordinatorURL returns --coordinator as a URL; upstream's programs give it
// as HOST:PORT, or HOST for port 443.
func (a *app) coordinatorURL() string {
	if strings.Contains(a.coordinator, "://") {
		return a.coordinator
	}
	return "https://" + a.coordinator
}

// coordinatorAddr returns --coordinator as HOST:PORT.
func (a *app) coordinatorAddr() (string, error) {
	u, err := url.Parse(a.coordinatorURL())
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		shown := a.coordinator
		if i := strings.LastIndex(shown, "@"); i >= 0 {
			shown = "...@" + shown[i+1:] // what stands before may be a password
		}
		return "", hint.With(usageErrorf("--coordinator %q is no address", shown), "as farm.example:8119 or https://farm.example")
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// dialer returns what opens connections to the farm. With dev, the
// coordinator has to be on this machine, and the certificate that
// "coordinator --dev" made for itself is trusted too.
func (a *app) dialer(dev bool) (*netdial.Dialer, error) {
	files := []string{a.caFile}
	if dev {
		addr, err := a.coordinatorAddr()
		if err != nil {
			return nil, err
		}
		if err := loopbackOnly("--coordinator", addr); err != nil {
			return nil, err
		}
		dir, err := a.devDir()
		if err != nil {
			return nil, err
		}
		ca := filepath.Join(dir, coordinator.DevCA)
		if _, err := os.Stat(ca); err == nil {
			files = append(files, ca)
		}
	}
	roots, err := netdial.Roots(files...)
	if err != nil {
		return nil, err
	}
	return &netdial.Dialer{Roots: roots}, nil
}

// devDir returns where the development CA of this user lies.
func (a *app) devDir() (string, error) {
	base := a.getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(base) {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", hint.With(fmt.Errorf("no place for the development CA: %w", err), "set HOME")
		}
	}
	return filepath.Join(base, "gobuild", "dev"), nil
}

// loopbackOnly returns a usage error unless addr is on this machine: everybody
// knows the development master key.
func loopbackOnly(flag, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return usageErrorf("%s %q: %w", flag, addr, err)
	}
	if netdial.Loopback(host) {
		return nil
	}
	return hint.With(usageErrorf("--dev is for this machine only, and %s is %s", flag, addr),
		"everybody knows the development key; give a localhost address, or keys of your own in place of --dev")
}

// porter is a person who uses a farm.
type porter struct {
	user    string // name, without user-
	keyFile string
	dev     bool
}

// client returns the client for what needs p's key.
func (a *app) client(p porter) (*api.Client, error) {
	principal, key, err := a.credentials(p)
	if err != nil {
		return nil, err
	}
	return a.clientWith(p.dev, principal, key)
}

func (a *app) clientWith(dev bool, principal, key string) (*api.Client, error) {
	dialer, err := a.dialer(dev)
	if err != nil {
		return nil, err
	}
	log := a.logger()
	return api.NewClient(api.ClientOptions{
		URL: a.coordinatorURL(), User: principal, Key: key,
		Dialer:    dialer,
		UserAgent: "gobuild/" + version.String(),
		OnRetry:   func(err error) { log.Debug("trying again", "err", err) },
	})
}

// credentials returns p's principal and key.
func (a *app) credentials(p porter) (principal, key string, err error) {
	name := p.user
	for _, env := range []string{"USER", "LOGNAME", "USERNAME", "user"} {
		if name == "" {
			name = a.getenv(env)
		}
	}
	if name == "" && p.dev {
		name = "dev"
	}
	if name == "" {
		return "", "", hint.With(usageErrorf("who are you?"), "give your name with --user NAME or GOBUILD_USER")
	}
	principal = builderkey.UserPrincipal(name)
	if p.dev {
		return principal, builderkey.DevMaster().Key(principal), nil
	}
	file := p.keyFile
	if file == "" {
		file = builderkey.UserKeyFile(principal, a.getenv)
	}
	found, err := builderkey.ReadKey(file)
	if err != nil {
		return "", "", hint.With(fmt.Errorf("key of %s: %w", principal, err),
			"ask the farm's maintainer for the key of %s and put it into that file, or name another with --key-file", principal)
	}
	a.warn(found.Warnings...)
	return principal, found.Key, nil
}
