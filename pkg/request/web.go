package request

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
)

// maxURL is the length up to which GitHub takes an address, in bytes: it
// refuses 8,192 and more with 414.
const maxURL = 8000

// Web is the prefilled form of a request.
type Web struct {
	URL string `json:"url"`
	// LeftOut is what the address has no room for, and has to be attached:
	// "readiness report", "CSR", "notes".
	LeftOut []string `json:"leftOut"`
}

// Web returns the address of the form that files d by hand in g's repository.
func (d *Draft) Web(g *GitHub) (Web, error) {
	var w Web
	// The CSR goes before the notes, which nobody attaches as a file; but
	// with notes that are too long by themselves it stays.
	for _, out := range [][]string{{}, {leftReport}, {leftReport, leftCSR}, {leftReport, leftNotes}, {leftReport, leftCSR, leftNotes}} {
		p := d.parts
		w = Web{LeftOut: []string{}}
		for _, part := range out {
			if p.leaveOut(part) {
				w.LeftOut = append(w.LeftOut, part)
			}
		}
		body, err := p.body()
		if err != nil {
			return Web{}, err
		}
		w.URL = g.webURL("issues/new") + "?" + url.Values{
			"title":  {d.Title},
			"labels": {strings.Join(d.Labels, ",")},
			"body":   {body},
		}.Encode()
		if len(w.URL) <= maxURL {
			return w, nil
		}
	}
	return Web{}, fmt.Errorf("the prefilled address has %d bytes; GitHub takes %d", len(w.URL), maxURL)
}

// What a form may leave out.
const (
	leftReport = "readiness report"
	leftCSR    = "CSR"
	leftNotes  = "notes"
)

// leaveOut takes a part out of p, and reports whether there was one.
func (p *parts) leaveOut(part string) bool {
	was := *p
	switch part {
	case leftReport:
		p.AttachReport = p.AttachReport || p.Report != ""
		p.Report = ""
	case leftCSR:
		p.CSR = ""
	case leftNotes:
		p.Notes = ""
	}
	return *p != was
}

// OpenBrowser asks the system to show address to the user, and reports
// whether it has a program for that. It does not wait for it.
func OpenBrowser(ctx context.Context, address string) bool {
	for _, opener := range openers {
		path, err := exec.LookPath(opener[0])
		if err != nil {
			continue
		}
		// Not bound to ctx: the browser stays when gobuild has ended.
		cmd := exec.Command(path, append(opener[1:], address)...)
		if ctx.Err() == nil && cmd.Start() == nil {
			cmd.Process.Release()
			return true
		}
	}
	return false
}
