package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/unit"
)

// serviceStatusJSON is what "gobuild service status --json" prints.
type serviceStatusJSON struct {
	Init        unit.Init `json:"init"`
	Name        string    `json:"name"`
	Running     bool      `json:"running"`
	State       string    `json:"state"`
	Worker      string    `json:"worker,omitempty"`
	WorkerError string    `json:"workerError,omitempty"`
}

func (a *app) serviceStatus(ctx context.Context, p unit.Plan, healthAddr string) error {
	in := unit.Installer{}
	line, err := in.Status(ctx, p)
	if err != nil && line == "" {
		return err
	}
	status := serviceStatusJSON{Init: p.Init, Name: p.Service.Name, Running: err == nil, State: line}
	// systemctl show ends well whatever it has to show.
	if p.Init == unit.Systemd && !strings.Contains(line, "ActiveState=active") {
		status.Running = false
	}
	if p.Service.Builds && healthAddr != "" {
		said, healthErr := askWorker(ctx, healthAddr)
		status.Worker = said
		if healthErr != nil {
			status.WorkerError = healthErr.Error()
		}
	}
	if a.jsonOut {
		if err := a.printJSON(status); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stdout, "%s: %s\n", status.Name, plain.Text(status.State))
		if status.Worker != "" {
			fmt.Fprintf(a.stdout, "worker: %s\n", plain.Text(status.Worker))
		} else if status.WorkerError != "" {
			a.warn("the worker does not answer: " + status.WorkerError)
		}
	}
	if !status.Running {
		return hint.With(fmt.Errorf("%s does not run", status.Name), "look into its log, or start it with: gobuild service install")
	}
	return nil
}

// askWorker asks the worker at addr how it is.
func askWorker(ctx context.Context, addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("--health-addr %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// The worker is on this machine: no proxy stands between.
	client := &http.Client{Transport: &http.Transport{Proxy: nil}}
	defer client.CloseIdleConnections()
	get := func(path string) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+net.JoinHostPort(host, port)+path, nil)
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if path == "/status.json" && resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("GET %s: %s", path, resp.Status)
		}
		return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	}
	body, err := get("/status.json")
	if err == nil {
		var status supervise.Status
		if err = json.Unmarshal(body, &status); err == nil && status.State != "" {
			return status.Line(), nil
		}
	}
	if body, err = get("/healthz"); err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(body), "\n")
	return line, nil
}
