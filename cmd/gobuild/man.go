package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newManCommand returns "gobuild man".
func newManCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages",
		Long: `Man writes one page of section 1 for each command into DIR, which it makes if
need be. The pages come from the same text as --help, and are the same
whenever and wherever they are made.`,
		Example: `  gobuild man /usr/local/share/man/man1`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages, err := manPages(cmd.Root())
			if err != nil {
				return err
			}
			return writePages(args[0], pages)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	return withoutConfig(cmd)
}

// manPages returns the pages of cmd and everything below it, by file name.
func manPages(cmd *cobra.Command) (map[string][]byte, error) {
	pages := map[string][]byte{}
	var add func(*cobra.Command) error
	add = func(cmd *cobra.Command) error {
		page, err := manPage(cmd)
		if err != nil {
			return fmt.Errorf("man page of %s: %w", cmd.CommandPath(), err)
		}
		pages[strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"] = page
		for _, sub := range cmd.Commands() {
			if !sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
				continue
			}
			if err := add(sub); err != nil {
				return err
			}
		}
		return nil
	}
	return pages, add(cmd)
}

// manPage returns the page of cmd.
func manPage(cmd *cobra.Command) ([]byte, error) {
	// A page must not change with the day or the version that it was made
	// with: the header gets a date that is taken out again below.
	never := time.Unix(0, 0).UTC()
	autoGen, long := cmd.DisableAutoGenTag, cmd.Long
	cmd.DisableAutoGenTag, cmd.Long = true, asMarkdown(cmd.Long)
	defer func() { cmd.DisableAutoGenTag, cmd.Long = autoGen, long }()
	var page bytes.Buffer
	err := doc.GenMan(cmd, &doc.GenManHeader{Section: "1", Date: &never, Source: "gobuild", Manual: "gobuild manual"}, &page)
	if err != nil {
		return nil, err
	}
	return bytes.Replace(page.Bytes(), []byte(`"Jan 1970"`), []byte(`""`), 1), nil
}

// asMarkdown returns a help text as the Markdown that cobra takes for man
// pages: what is indented is meant to keep its lines.
func asMarkdown(text string) string {
	return regexp.MustCompile(`(?m)^  `).ReplaceAllString(text, "    ")
}

// writePages writes each page into dir.
func writePages(dir string, pages map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, page := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), page, 0o644); err != nil {
			return err
		}
	}
	return nil
}
