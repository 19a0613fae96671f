package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/stage0"
)

// stage0Flags are the flags of "gobuild stage0".
type stage0Flags struct {
	networkWait, registerWithin   time.Duration
	untarFile, untarDir           string
	url, dir                      string
	keys                          []string
	allowDowngrade, allowUnsigned bool
}

// newStage0Command returns "gobuild stage0".
func newStage0Command(a *app) *cobra.Command {
	var f stage0Flags
	cmd := &cobra.Command{
		Use:     "stage0 [-- BUILDLET-ARGUMENT...]",
		GroupID: groupOwner,
		Short:   "Download the buildlet, check it, and run it once",
		Long: `Stage0 waits for the network, downloads the buildlet if there is another than
the one that is here, checks it, and runs it once. To run it again is the work of
a supervisor.

The buildlet comes from --url, else from $META_BUILDLET_BINARY_URL, else from
upstream's bucket, and is kept as buildlet.exe in --dir. Its length, its digest
(URL.sha256), its signature (URL.sig) by one of the --release-key, and its port
are checked before anything is replaced; a release that was signed before the one
that is here is refused. A download that breaks off goes on where it was. If none
can be had, the one that is here is started, if it came with the signature of a
--release-key.

The previous buildlet is kept. A new one that does not register with the
coordinator within --register-within, while the server answers, is taken out, and
the previous one runs in its place; it is not fetched again. Upstream's buildlet
does not tell whether it has registered: staying up for that long will do.

The buildlet's arguments are those that upstream's stage0 gives for
$GO_BUILDER_ENV, and those behind "--". It gets GO_STAGE0_NET_DELAY and
GO_STAGE0_DL_DELAY in its environment. The exit code is 0 if it ends with 0,
else 1.`,
		Example: `  gobuild stage0 --url https://farm.example/dl/buildlet.linux-riscv64 --release-key release.key.pub -- --reverse-type=host-linux-riscv64
  gobuild stage0 -network-wait=2m
  gobuild stage0 -untar-file go1.4.tar.gz -untar-dest-dir /go1.4`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.untarFile != "" {
				if f.untarDir == "" {
					return usageErrorf("-untar-file %s to where? -untar-dest-dir is missing", f.untarFile)
				}
				return stage0.Untar(f.untarFile, f.untarDir)
			}
			return a.stage0(cmd.Context(), f, args)
		},
	}
	firstArgEndsFlags(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&f.networkWait, "network-wait", 0, "`TIME` to wait for the network (default 30s, 5m on Windows)")
	flags.StringVar(&f.untarFile, "untar-file", "", "unpack this tar.gz `FILE` and do nothing else")
	flags.StringVar(&f.untarDir, "untar-dest-dir", "", "`DIR` to unpack --untar-file in")
	flags.StringVar(&f.url, "url", "", "`URL` of the buildlet")
	flags.StringVar(&f.dir, "dir", ".", "`DIR` to keep the buildlet in")
	flags.StringArrayVar(&f.keys, "release-key", nil, "public `KEY` that buildlets have to be signed with, or the file that it is in; may be given several times")
	flags.BoolVar(&f.allowDowngrade, "allow-downgrade", false, "take a release that is older than the one here")
	flags.BoolVar(&f.allowUnsigned, "allow-unsigned", false, "without --release-key, take what nobody has signed, by https; upstream's bucket and this machine are allowed anyhow")
	flags.DurationVar(&f.registerWithin, "register-within", 5*time.Minute, "`TIME` that a new buildlet has to register in; 0 for no roll-back")
	bindConfig(flags, "release-key", "release-key")
	cmd.MarkFlagDirname("dir")
	cmd.MarkFlagDirname("untar-dest-dir")
	cmd.MarkFlagFilename("untar-file", "tar.gz", "tgz")
	cmd.MarkFlagsMutuallyExclusive("release-key", "allow-unsigned")
	return cmd
}

func (a *app) stage0(ctx context.Context, f stage0Flags, args []string) error {
	log := a.logger()
	from := f.url
	if from == "" {
		from = stage0.URL(a.getenv, runtime.GOOS, runtime.GOARCH)
	}
	fetcher, err := a.fetcher(f, from, log)
	if err != nil {
		return err
	}
	began := time.Now()
	limit := f.networkWait
	if limit == 0 {
		limit = stage0.NetworkWait()
	}
	if err := stage0.AwaitNetwork(ctx, fetcher.HTTP, stage0.Netcheck(from), limit, log); err != nil {
		return err
	}
	netDelay := time.Since(began)
	began = time.Now()
	result, err := a.fetch(ctx, fetcher)
	switch {
	case err != nil && (ctx.Err() != nil || result.Digest == ""):
		return err
	case err != nil:
		a.printError(err.Error(), hint.Of(err))
		log.Warn("the buildlet that is here is started", "version", result.Version, "digest", result.Digest)
	}
	upstream, warnings := stage0.Args(a.getenv, runtime.GOOS, runtime.GOARCH)
	a.warn(warnings...)
	runner := stage0.Runner{
		Fetcher: fetcher,
		Args:    append(upstream, args...),
		Env: append(rootEnv(os.Environ(), a.getenv),
			"GO_STAGE0_NET_DELAY="+tenths(netDelay), "GO_STAGE0_DL_DELAY="+tenths(time.Since(began))),
		RegisterWithin: f.registerWithin,
		Reachable: func(ctx context.Context) bool {
			return stage0.Probe(ctx, fetcher.HTTP, stage0.Netcheck(from)) == nil
		},
		Stdout: a.stdout, Stderr: a.stderr, Log: log,
	}
	if err := runner.Run(ctx); err != nil {
		return fmt.Errorf("run the buildlet: %w", err)
	}
	return nil
}

// tenths writes a time as upstream's stage0 does.
func tenths(d time.Duration) string { return d.Truncate(time.Second / 10).String() }

// rootEnv returns the environment of a buildlet (build protocol, section 6.6).
func rootEnv(env []string, getenv func(string) string) []string {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" || os.Getuid() != 0 {
		return env
	}
	for name, value := range map[string]string{"USER": "root", "HOME": "/root"} {
		if getenv(name) == "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// fetcher returns what keeps the buildlet up to date.
func (a *app) fetcher(f stage0Flags, from string, log *slog.Logger) (*stage0.Fetcher, error) {
	roots, err := netdial.Roots(a.caFile)
	if err != nil {
		return nil, err
	}
	fetcher := &stage0.Fetcher{
		URL: from, File: filepath.Join(f.dir, "buildlet.exe"),
		Port:           runtime.GOOS + "-" + runtime.GOARCH,
		AllowDowngrade: f.allowDowngrade, AllowUnsigned: f.allowUnsigned,
		HTTP: &http.Client{Transport: stage0.Transport(roots)},
		Log:  log,
	}
	if fetcher.Keys, err = releaseKeys(f.keys); err != nil {
		return nil, err
	}
	if len(fetcher.Keys) == 0 && (strings.HasPrefix(from, stage0.UpstreamBucket) || onThisMachine(from)) {
		fetcher.AllowUnsigned = true
	}
	if len(fetcher.Keys) == 0 && !fetcher.AllowUnsigned {
		return nil, hint.With(usageErrorf("no key to check the buildlet with"), "give the farm's public release key, which its maintainer has, with --release-key, or --allow-unsigned")
	}
	if info, err := os.Stat(f.dir); err != nil || !info.IsDir() {
		return nil, hint.With(fmt.Errorf("--dir %s is no directory", f.dir), "make it first; the buildlet is kept there")
	}
	return fetcher, nil
}

// onThisMachine reports whether a URL's host is this machine, by its text.
func onThisMachine(text string) bool {
	u, err := url.Parse(text)
	return err == nil && netdial.Loopback(u.Hostname())
}

// fetch fetches the buildlet and shows how that goes: in a line that moves on
// a terminal, else in one now and then.
func (a *app) fetch(ctx context.Context, fetcher *stage0.Fetcher) (stage0.Result, error) {
	show, clear := a.progress("buildlet")
	defer clear()
	if show == nil {
		last := time.Now()
		fetcher.Progress = func(done, total int64, rate float64) {
			if time.Since(last) >= 5*time.Second {
				last = time.Now()
				fetcher.Log.Info("downloading", "bytes", done, "of", total, "bytes_per_second", int64(rate))
			}
		}
		return fetcher.Fetch(ctx)
	}
	fetcher.Progress = func(done, total int64, _ float64) { show(done, total) }
	return fetcher.Fetch(ctx)
}
