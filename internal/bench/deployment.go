package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// deployment is some processes of the binary under test on one database and one bus.
type deployment struct {
	*costs
	nodes []*server
}

// deploy starts n nodes in a folder on an empty database, which fill fills with things before
// somebody asks.
func (b *bench) deploy(ctx context.Context, folder string, n int, fill func(w *world) error) (d *deployment, err error) {
	c, err := launchCosts(true)
	if err != nil {
		return nil, err
	}
	d = &deployment{costs: c}
	defer func() {
		if err != nil {
			d, err = nil, errors.Join(err, d.close())
		}
	}()
	secrets := filepath.Join(folder, "secrets")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return d, err
	}
	if out, err := exec.CommandContext(ctx, b.muster, "admin", "secrets", "init", secrets).CombinedOutput(); err != nil {
		return d, fmt.Errorf("secrets: %w: %s", err, out)
	}
	name, err := c.server.Create()
	if err != nil {
		return d, err
	}
	for i := range n {
		node := "node-" + strconv.Itoa(i)
		data := filepath.Join(folder, node)
		if err := copySecrets(data, secrets); err != nil {
			return d, err
		}
		s, err := b.serve(ctx, data, "--store", c.server.URL(name), "--bus", c.bus.URL(), "--node", node, "--files", "")
		if err != nil {
			return d, err
		}
		d.nodes = append(d.nodes, s)
	}
	filling, err := c.openNode(ctx, c.server.URL(name), "filling", fillingNode)
	if err != nil {
		return d, err
	}
	return d, errors.Join(fill(filling.world), filling.close())
}

// fillingNode is the number of the node that fills the database of a deployment. It leaves
// background work to the others.
const fillingNode = 99

func copySecrets(data, secrets string) error {
	if err := os.CopyFS(data, os.DirFS(secrets)); err != nil {
		return err
	}
	return filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error { // CopyFS keeps no modes
		if err != nil || entry.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
}

func (d *deployment) close() error {
	for _, s := range d.nodes {
		s.stop()
	}
	return d.end()
}
