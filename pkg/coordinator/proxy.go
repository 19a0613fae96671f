package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/buildlet"
)

// drainWait and drainMax bound how much of an upload is still read after the
// buildlet has refused it. Without that, the sender would see its connection
// break instead of the refusal.
const (
	drainWait = 10 * time.Second
	drainMax  = 1 << 30
)

// serveBuildlet passes a request of the buildlet protocol to the machine of
// an instance, and the answer back, both as they come.
func (c *Coordinator) serveBuildlet(w http.ResponseWriter, r *http.Request, principal string) {
	inst, err := c.insts.get(r.PathValue("id"), principal)
	if err != nil {
		writeError(w, err)
		return
	}
	path := "/" + r.PathValue("path")
	if path == "/halt" {
		// Passed on, it could power off somebody's machine.
		if r.Method != http.MethodPost { // as a link on some page is not
			w.Header().Set("Allow", http.MethodPost)
			writeError(w, api.Errorf(api.CodeMethod, "%s wants POST, not %s", path, r.Method))
			return
		}
		c.destroy(w, inst, principal)
		return
	}
	if buildlet.ForCoordinator(path) {
		writeError(w, api.Errorf(api.CodeForbidden, "%s is for coordinators only", path))
		return
	}
	done, err := c.insts.use(inst)
	if err != nil {
		writeError(w, err)
		return
	}
	defer done()

	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	stop := context.AfterFunc(inst.ctx, func() { cancel(context.Cause(inst.ctx)) })
	defer stop()

	c.answerBy(w, 0)
	rc := http.NewResponseController(w)
	rc.EnableFullDuplex() // a command's input and output run at the same time
	body := r.Body
	refused := false
	proxy := &httputil.ReverseProxy{
		Transport:     inst.host.transport,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host = "http", "buildlet"
			pr.Out.URL.Path, pr.Out.URL.RawPath = path, ""
			pr.Out.Host = "buildlet"
			pr.Out.Header.Del("Authorization") // the user's key is none of the machine's business
			pr.Out.Header.Del("Cookie")
			if pr.Out.Body != nil && pr.Out.Body != http.NoBody {
				pr.Out.Body = io.NopCloser(body)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			refused = resp.StatusCode >= 400
			// It is no page of ours: a script in it would act with the key
			// that a browser has for us.
			resp.Header.Set("Content-Security-Policy", "sandbox")
			resp.Header.Set("X-Content-Type-Options", "nosniff")
			resp.Header.Del("Set-Cookie")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			writeError(w, c.proxyError(ctx, inst, path, err))
		},
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
	if refused && r.ContentLength != 0 && body != http.NoBody {
		rc.Flush()
		rc.SetReadDeadline(time.Now().Add(drainWait))
		io.CopyN(io.Discard, body, drainMax)
	}
}

// proxyError says why a machine did not answer.
func (c *Coordinator) proxyError(ctx context.Context, inst *instance, path string, err error) error {
	var ended *api.Error
	if ctx.Err() != nil && errors.As(context.Cause(ctx), &ended) {
		return ended
	}
	return api.Errorf(api.CodeUnreachable, "%s of instance %s, on %s (%s): %v",
		path, inst.rec.ID, inst.host.hostname, inst.host.addr, err).
		WithHint("the coordinator's status page says how the machine does: gobuild status")
}

// destroy ends inst at its owner's wish.
func (c *Coordinator) destroy(w http.ResponseWriter, inst *instance, principal string) {
	c.insts.end(inst, fmt.Sprintf("%s destroyed it", strings.TrimSpace(principal)))
	c.answerBy(w, c.opts.AnswerWait) // anew: that may have taken minutes
	w.WriteHeader(http.StatusOK)
}
