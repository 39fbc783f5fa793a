package diskstore

import (
	"context"
	"fmt"
	"os"

	"github.com/muster-iot/muster/store"
)

// problemsMax bounds how many contradictions Verify returns.
const problemsMax = 1000

// Verify compares what an index says of job files with the contents in a folder,
// and returns what contradicts: a content that is missing, has another size, or
// is not counted. Contents that belong to nothing are no problem; the next start
// sweeps them.
func Verify(ctx context.Context, index store.Store, dir string) (problems []string, err error) {
	err = index.View(ctx, func(r store.Reader) error {
		problems = nil
		counted := 0
		look := func(name, blob string, size int64) {
			known, err := sizes.Get(r, blob)
			info, statErr := os.Stat((&blobs{dir: dir}).path(blob))
			switch counted++; {
			case len(problems) >= problemsMax:
			case err != nil || known == nil || *known != size:
				problems = append(problems, fmt.Sprintf("job file %s: its content %s is not counted with its %d bytes", name, blob, size))
			case statErr != nil:
				problems = append(problems, fmt.Sprintf("job file %s: its content cannot be found: %v", name, statErr))
			case info.Size() != size:
				problems = append(problems, fmt.Sprintf("job file %s: its content has %d bytes instead of %d", name, info.Size(), size))
			}
		}
		for _, table := range []store.Of[record]{objects, olds} {
			for row, err := range table.Scan(r, "", "") {
				if err != nil {
					return err
				}
				if !row.Value.Marker {
					look(fmt.Sprintf("%q", store.SplitKey(row.Key)), row.Value.Blob, row.Value.Size)
				}
			}
		}
		for row, err := range parts.Scan(r, "", "") {
			if err != nil {
				return err
			}
			look(fmt.Sprintf("part %q", store.SplitKey(row.Key)), row.Value.Blob, row.Value.Size)
		}
		for _, err := range sizes.Scan(r, "", "") {
			if err != nil {
				return err
			}
			counted--
		}
		if counted != 0 {
			problems = append(problems, fmt.Sprintf("job files: %d more contents are counted than objects, versions and parts have", -counted))
		}
		return nil
	})
	return problems, err
}
