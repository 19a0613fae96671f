package main

import (
	"context"
	"crypto"
	"fmt"

	"gobuild/pkg/api"
	"gobuild/pkg/plain"
	"gobuild/pkg/request"
)

// requestCoordinator puts draft into a coordinator's queue.
func (a *app) requestCoordinator(ctx context.Context, f requestFlags, draft *request.Draft) error {
	var key crypto.Signer
	if !f.dryRun {
		var err error
		if key, err = draft.Key(f.key); err != nil {
			return err
		}
	}
	if err := a.addReport(ctx, f, draft); err != nil {
		return err
	}
	r, err := draft.ForCoordinator(f.hostType)
	if err != nil {
		return err
	}
	if f.dryRun {
		fmt.Fprintln(a.stderr, nothingSent)
		return a.printJSON(r)
	}
	c, err := a.clientWith(f.dev, "", "")
	if err != nil {
		return err
	}
	defer c.Close()
	filed, err := c.FileRequest(ctx, r, key)
	if err != nil {
		return err
	}
	if a.jsonOut {
		return a.printJSON(withoutKey(filed))
	}
	fmt.Fprintf(a.stderr, "# %s has the request; see how it goes with: gobuild request status --to coordinator %s\n", c.URL(), filed.ID)
	_, err = fmt.Fprintln(a.stdout, plain.Text(filed.ID))
	return err
}

// withoutKey returns r without the builder key, which is not for a terminal.
func withoutKey(r api.Request) api.Request {
	r.BuilderKey = ""
	return r
}
