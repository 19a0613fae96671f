package rehearse

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"encoding/json"

	"gobuild/pkg/swarmbot"
)

//go:embed luci_bot/__main__.py
var botProgram []byte

// release is one version of the bot.
type release struct {
	kind   string // see luci_bot/__main__.py
	zip    []byte
	digest string // of the content (section 10.2)
}

// botConfig is config/config.json in the bot's zip.
type botConfig struct {
	Server        string `json:"server"`
	ServerVersion string `json:"server_version"`
	Kind          string `json:"rehearse"`
}

// newRelease packs a bot of some kind, which calls server.
func newRelease(server, kind string) (release, error) {
	config, err := json.Marshal(botConfig{server, serverVersion, kind})
	if err != nil {
		return release{}, err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, entry := range []struct {
		name    string
		content []byte
	}{{"__main__.py", botProgram}, {"config/config.json", config}} {
		f, err := w.Create(entry.name)
		if err != nil {
			return release{}, err
		}
		f.Write(entry.content) // a buffer takes everything
	}
	if err := w.Close(); err != nil {
		return release{}, err
	}
	digest, err := swarmbot.Digest(b.Bytes())
	return release{kind, b.Bytes(), digest}, err
}
