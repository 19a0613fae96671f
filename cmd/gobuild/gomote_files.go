package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gobuild/pkg/buildlet"
	"gobuild/pkg/gomote"
	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
)

// newGomotePut returns "gobuild gomote put".
func newGomotePut(a *app, p *porter) *cobra.Command {
	var octal string
	cmd := &cobra.Command{
		Use:   "put [flags] INSTANCE SRC [DST]",
		Short: "Copy a file to an instance",
		Long: `Put copies the local file SRC, or standard input if SRC is -, to DST, relative
to the work directory. DST is SRC's base name if it is not given. What stood at
DST stays until the new file is complete.`,
		Example: `  gobuild gomote put joe-linux-amd64-0 repro.go
  gobuild gomote put -mode 755 joe-linux-amd64-0 - bin/run.sh < run.sh`,
		Args:              cobra.RangeArgs(2, 3),
		ValidArgsFunction: a.completeInstance(p),
		RunE: func(cmd *cobra.Command, args []string) error {
			src := args[1]
			dst := filepath.Base(src)
			switch {
			case len(args) > 2:
				dst = args[2]
			case src == "-":
				return usageErrorf("where to? standard input has no name: give DST")
			}
			r, size, mode, err := a.openSource(src)
			if err != nil {
				return err
			}
			defer r.Close()
			if octal != "" {
				bits, err := strconv.ParseUint(octal, 8, 32)
				if err != nil || bits > 0o777 {
					return usageErrorf("-mode %q: not octal permission bits, as 755", octal)
				}
				mode = os.FileMode(bits)
			}
			s, err := a.open(cmd.Context(), p, args[0])
			if err != nil {
				return err
			}
			show, clear := a.progress(dst)
			defer clear()
			return s.Put(cmd.Context(), r, size, dst, mode, show)
		},
	}
	cmd.Flags().StringVar(&octal, "mode", "", "permission bits, `OCTAL` (default: SRC's, 666 for standard input)")
	return cmd
}

// newGomotePutTar returns "gobuild gomote puttar".
func newGomotePutTar(a *app, p *porter) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "puttar [flags] INSTANCE SRC",
		Short: "Unpack a tar.gz on an instance",
		Long: `Puttar unpacks SRC on an instance. SRC is a local tar.gz, - for standard input,
a URL that the machine itself fetches, or a revision of Go (7 to 40 hex digits),
which the machine fetches and completes with a VERSION file.`,
		Example: `  gobuild gomote puttar -dir go joe-linux-amd64-0 go.tar.gz
  gobuild gomote puttar -dir go joe-linux-amd64-0 8e1fdea8316d`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeInstance(p),
		RunE: func(cmd *cobra.Command, args []string) error {
			src := args[1]
			send := func(ctx context.Context, s *gomote.Session) error { return s.PutTarURL(ctx, src, dir) }
			if _, err := os.Stat(src); err != nil && gomote.IsRevision(src) {
				send = func(ctx context.Context, s *gomote.Session) error { return s.PutRevision(ctx, src, dir) }
			} else if !strings.HasPrefix(src, "http://") && !strings.HasPrefix(src, "https://") {
				r, size, _, err := a.openSource(src)
				if err != nil {
					return err
				}
				defer r.Close()
				send = func(ctx context.Context, s *gomote.Session) error {
					show, clear := a.progress(filepath.Base(src))
					defer clear()
					return s.PutTar(ctx, r, size, dir, show)
				}
			}
			s, err := a.open(cmd.Context(), p, args[0])
			if err != nil {
				return err
			}
			return send(cmd.Context(), s)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "`DIR` to unpack into, relative to the work directory")
	return cmd
}

// newGomoteGetTar returns "gobuild gomote gettar".
func newGomoteGetTar(a *app, p *porter) *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "gettar [flags] INSTANCE",
		Short: "Fetch a directory of an instance as a tar.gz",
		Long: `Gettar writes what lies below DIR on an instance to INSTANCE.tar.gz in the
current directory. A file of that name stays as it was until the new one is
complete.`,
		Example: `  gobuild gomote gettar joe-linux-amd64-0
  gobuild gomote gettar -dir go/bin -o - joe-linux-amd64-0 | tar tzf -`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeInstance(p),
		RunE: a.inSession(p, func(cmd *cobra.Command, s *gomote.Session, _ []string) error {
			if dir == "" {
				dir = "." // upstream's program passes on the empty name, which buildlets refuse
			}
			file := out
			switch out {
			case "":
				file = s.Instance().ID + ".tar.gz"
			case "-":
				file = ""
			}
			show, clear := a.progress(s.Instance().ID + ".tar.gz")
			n, err := s.GetTar(cmd.Context(), dir, file, a.stdout, show)
			clear()
			return a.fetched(file, n, err)
		}),
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "`DIR` to fetch, relative to the work directory")
	cmd.Flags().StringVarP(&out, "out", "o", "", "`FILE` to write, - for standard output (default INSTANCE.tar.gz)")
	return cmd
}

// newGomoteGet returns "gobuild gomote get".
func newGomoteGet(a *app, p *porter) *cobra.Command {
	return &cobra.Command{
		Use:   "get INSTANCE SRC [DST]",
		Short: "Copy a file from an instance",
		Long: `Get copies the file SRC, relative to the work directory, to the local file DST,
with its permission bits. DST is SRC's base name if it is not given, and
standard output if it is -. A file that stands at DST stays as it was until the
new one is complete.`,
		Example: `  gobuild gomote get joe-linux-amd64-0 go/bin/go
  gobuild gomote get joe-linux-amd64-0 go/VERSION -`,
		Args:              cobra.RangeArgs(2, 3),
		ValidArgsFunction: a.completeInstance(p),
		RunE: a.inSession(p, func(cmd *cobra.Command, s *gomote.Session, args []string) error {
			file := path.Base(strings.ReplaceAll(args[0], `\`, "/"))
			switch {
			case len(args) > 1 && args[1] == "-":
				file = ""
			case len(args) > 1:
				file = args[1]
				if info, err := os.Stat(file); err == nil && info.IsDir() {
					file = filepath.Join(file, path.Base(args[0]))
				}
			}
			show, clear := a.progress(args[0])
			n, err := s.Get(cmd.Context(), args[0], file, a.stdout, show)
			clear()
			if refused, ok := errors.AsType[*buildlet.StatusError](err); ok && refused.Status == http.StatusBadRequest {
				err = hint.With(err, "a directory is fetched as a tar.gz: gobuild gomote gettar -dir %s %s", args[0], s.Instance().ID)
			} else if ok && refused.Status == http.StatusNotFound {
				err = hint.With(err, "gobuild gomote ls %s shows what is there", s.Instance().ID)
			}
			return a.fetched(file, n, err)
		}),
	}
}

// fetched reports a file that has arrived.
func (a *app) fetched(file string, n int64, err error) error {
	if err != nil || file == "" {
		return err
	}
	if a.jsonOut {
		return a.printJSON(struct {
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
		}{file, n})
	}
	fmt.Fprintf(a.stderr, "# %s: %d bytes\n", file, n)
	return nil
}

// newGomoteLs returns "gobuild gomote ls".
func newGomoteLs(a *app, p *porter) *cobra.Command {
	var (
		opts buildlet.ListOptions
		skip string
	)
	cmd := &cobra.Command{
		Use:   "ls [flags] INSTANCE [DIR]",
		Short: "List a directory of an instance",
		Long: `Ls lists DIR, relative to the work directory: mode, name, and for regular files
size, time and, with -d, the SHA-1 of the content, a tab between two.`,
		Example: `  gobuild gomote ls joe-linux-amd64-0
  gobuild gomote ls -R -d -skip pkg,bin joe-linux-amd64-0 go`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.completeInstance(p),
		RunE: a.inSession(p, func(cmd *cobra.Command, s *gomote.Session, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			if skip != "" {
				opts.Skip = strings.Split(skip, ",")
			}
			entries := []lsEntry{}
			err := s.List(cmd.Context(), dir, opts, func(e buildlet.Entry) error {
				if a.jsonOut {
					entries = append(entries, newLsEntry(e))
					return nil
				}
				line := e.Line
				if a.isTerminal(a.stdout) {
					field := strings.Split(line, "\t")
					for i := range field {
						field[i] = plain.Text(field[i])
					}
					line = strings.Join(field, "\t")
				}
				_, err := fmt.Fprintln(a.stdout, line)
				return err
			})
			if err == nil && a.jsonOut {
				err = a.printJSON(entries)
			}
			return err
		}),
	}
	flags := cmd.Flags()
	flags.BoolVarP(&opts.Recursive, "recursive", "R", false, "list what is below directories too")
	flags.BoolVarP(&opts.Digest, "digest", "d", false, "show the SHA-1 of each file")
	flags.StringVar(&skip, "skip", "", "directories to leave out, a comma `LIST` of paths relative to DIR")
	return cmd
}

// lsEntry is an entry of "gobuild gomote ls --json".
type lsEntry struct {
	Mode   string `json:"mode"`
	Name   string `json:"name"`
	Size   int64  `json:"size,omitempty"`
	Time   string `json:"time,omitempty"`
	Digest string `json:"sha1,omitempty"`
}

func newLsEntry(e buildlet.Entry) lsEntry {
	l := lsEntry{Mode: e.Mode, Name: e.Name, Size: e.Size, Digest: e.Digest}
	if !e.Time.IsZero() {
		l.Time = e.Time.Format("2006-01-02T15:04:05Z")
	}
	return l
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
