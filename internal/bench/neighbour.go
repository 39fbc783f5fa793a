package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// neighbourCommand is the first argument with which this program only computes, for as long as it
// runs, as a busy neighbour of what is measured.
const neighbourCommand = "neighbour"

// neighbour is that process. The zero value is one that does not run.
type neighbour struct {
	*process
	began time.Time
	spent time.Duration // before began
}

// startNeighbour starts a neighbour that computes on so many threads, until it is ended.
func startNeighbour(threads int) (neighbour, error) {
	self, err := os.Executable()
	if err != nil {
		return neighbour{}, err
	}
	p, err := start(self, neighbourCommand, strconv.Itoa(threads))
	return neighbour{process: p}, err
}

// watch begins the stretch of time that share is about.
func (n *neighbour) watch() {
	if n.process != nil {
		n.began, n.spent = time.Now(), n.cpu()
	}
}

// share returns which share of the machine the neighbour has had since watch.
func (n *neighbour) share() float64 {
	if n.process == nil {
		return 0
	}
	return (n.cpu() - n.spent).Seconds() / (time.Since(n.began).Seconds() * float64(runtime.NumCPU()))
}

// end ends the neighbour, if it runs.
func (n *neighbour) end() {
	if n.process != nil {
		n.kill()
	}
}

// runNeighbour computes until the process is told to end, or its parent has ended. args is the
// number of threads.
func runNeighbour(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes a number of threads", neighbourCommand)
	}
	threads, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	ctx, restore := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer restore()
	runtime.GOMAXPROCS(threads)
	parent := os.Getppid()
	var all sync.WaitGroup
	for range threads {
		all.Go(func() {
			for ctx.Err() == nil && os.Getppid() == parent {
				for n := range 1_000_000 {
					_ = n * n
				}
			}
		})
	}
	all.Wait()
	return nil
}
