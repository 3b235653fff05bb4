package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	gatewayv1 "example.com/client/gen/backcast/gateway/v1"
)

const (
	firstPause = 200 * time.Millisecond
	longPause  = 5 * time.Second
	most       = 20 // streams in a row that end without an event
)

// follow starts a run and yields its events until it ends, whatever happens to the connection: each crypto comes once,
// with its whole result. An error is the last that it yields. Whoever leaves the loop leaves the run, which is paused.
func follow(
	ctx context.Context, connection grpc.ClientConnInterface, request *gatewayv1.RunBacktestsRequest,
) iter.Seq2[*gatewayv1.RunBacktestsResponse, error] {
	return func(yield func(*gatewayv1.RunBacktestsResponse, error) bool) {
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		run := &followed{
			backtests: gatewayv1.NewBacktestServiceClient(connection),
			runs:      gatewayv1.NewRunServiceClient(connection),
			request:   proto.CloneOf(request),
			seen:      map[string]bool{},
		}
		run.startAnew()
		for {
			err := run.read(ctx, func(event *gatewayv1.RunBacktestsResponse) bool { return yield(event, nil) })
			if err == nil {
				return
			}
			wait, again := run.afterError(err)
			if !again {
				yield(nil, err)
				return
			}
			fmt.Fprintf(os.Stderr, "%v; trying again after %v\n", err, wait)
			select {
			case <-ctx.Done():
				yield(nil, status.FromContextError(ctx.Err()).Err())
				return
			case <-time.After(wait):
			}
		}
	}
}

// followed is a run, and what of it has come.
type followed struct {
	backtests gatewayv1.BacktestServiceClient
	runs      gatewayv1.RunServiceClient
	request   *gatewayv1.RunBacktestsRequest
	started   bool                            // the gateway has the run, so it is watched
	last      int64                           // sequence of the last event
	event     *gatewayv1.RunBacktestsResponse // the last event, with the parts of its result that have come
	seen      map[string]bool                 // the cryptos that have come
	failures  int                             // streams in a row that ended without an event
}

// startAnew makes the next stream start a run, under an id that no other run has.
func (f *followed) startAnew() {
	f.request.RunId = rand.Text()
	f.started, f.last, f.event = false, 0, nil
}

// read yields the events of one stream. It returns nil at the end of the run, and when its reader leaves.
func (f *followed) read(ctx context.Context, yield func(*gatewayv1.RunBacktestsResponse) bool) error {
	next, err := f.open(ctx)
	for err == nil {
		var event *gatewayv1.RunBacktestsResponse
		if event, err = next(); err == nil && f.take(event) && !yield(f.event) {
			return nil
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// docs: resume
// open starts the run, or watches it after the last event.
func (f *followed) open(ctx context.Context) (func() (*gatewayv1.RunBacktestsResponse, error), error) {
	if f.started {
		request := &gatewayv1.WatchRunRequest{RunId: f.request.GetRunId(), AfterSequence: f.last}
		stream, err := f.runs.WatchRun(ctx, request)
		return func() (*gatewayv1.RunBacktestsResponse, error) {
			response, err := stream.Recv()
			return response.GetEvent(), err
		}, err
	}
	stream, err := f.backtests.RunBacktests(ctx, f.request)
	if err != nil {
		return nil, err
	}
	// The gateway sends metadata when it has the run.
	header, err := stream.Header()
	f.started = err == nil && len(header.Get("backcast-run-id")) > 0
	return stream.Recv, nil
}

// docs: end

// docs: parts
// take joins the parts of a result, and reports whether the event is complete and new.
func (f *followed) take(event *gatewayv1.RunBacktestsResponse) bool {
	f.failures, f.last = 0, event.GetSequence()
	if part := event.GetResultContinuation(); part != nil {
		proto.Merge(f.event.GetResult(), part)
		f.event.ResultContinues = event.GetResultContinues()
	} else {
		f.event = event
	}
	if started := event.GetStarted(); started != nil {
		// A default end moves on; a run that is started anew has the window of the first.
		f.request = proto.CloneOf(started.GetRequest())
	}
	symbol := f.event.GetResult().GetSymbol() + f.event.GetFailure().GetSymbol()
	if f.event.GetResultContinues() || f.seen[symbol] {
		return false
	}
	f.seen[symbol] = symbol != ""
	return true
}

// docs: end

// docs: after an error
// afterError returns after what time to open the next stream, and false if the error is final.
func (f *followed) afterError(err error) (time.Duration, bool) {
	why := problemOf(status.Convert(err))
	if f.failures++; f.failures > most {
		return 0, false
	}
	pause := min(firstPause<<(f.failures-1), longPause)
	switch {
	case why.code == codes.NotFound && f.started: // The gateway does not have the run any more, or not its next event.
		f.startAnew()
		return 0, true
	case why.code == codes.AlreadyExists: // A retry of the call that started this run.
		f.started = true
		return 0, true
	case why.retryAfter > 0: // A limit is reached.
		return why.retryAfter, true
	case why.code == codes.Unavailable && f.started:
		if why.reason != "" { // Not the connection, but the run: it has ended with this error.
			f.startAnew()
		}
		return pause, true
	}
	return 0, false
}

// docs: end
