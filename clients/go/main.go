// A client of Backcast: the conventions of docs/clients.md, as a program. Take from it what you need.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	backtestv1 "example.com/client/gen/backcast/backtest/v1"
	gatewayv1 "example.com/client/gen/backcast/gateway/v1"
)

const usage = `usage: client [--timeout SECONDS] [--period 14] [--start 2025-01-01] COMMAND SYMBOL…

commands:
  run      backtest the strategy, and print each result as it arrives
  cancel   the same, but cancel the run after its first result
  sweep    backtest the periods 5 to 30, and print the best
  curve    print the length of the equity curve

The gateway is BACKCAST_GATEWAY_ADDRESS (127.0.0.1:50051). BACKCAST_TLS_CA_FILE or BACKCAST_TLS=1 asks for TLS, and
BACKCAST_TOKEN is the token.
`

func main() {
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	timeout := flag.Float64("timeout", 0, "")
	period := flag.Int("period", 14, "")
	start := flag.String("start", "", "")
	flag.Parse()
	commands := map[string]func(context.Context, *grpc.ClientConn, *backtestv1.BacktestSpec, []string) error{
		"run": run, "cancel": cancelInTheMiddle, "sweep": sweep, "curve": curve,
	}
	command, known := commands[flag.Arg(0)]
	if !known {
		flag.Usage()
		os.Exit(2)
	}
	spec := &backtestv1.BacktestSpec{Strategy: &backtestv1.Strategy{Kind: &backtestv1.Strategy_Rsi{
		Rsi: &backtestv1.Rsi{Period: proto.Int32(int32(*period))},
	}}}
	if *start != "" {
		day, err := time.Parse(time.DateOnly, *start)
		if err != nil {
			fail(err)
		}
		spec.StartTime = timestamppb.New(day)
	}
	connection, err := connect()
	if err != nil {
		fail(err)
	}
	// Ctrl-C ends calls, as a deadline does.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *timeout > 0 {
		var release context.CancelFunc
		ctx, release = context.WithTimeout(ctx, time.Duration(*timeout*float64(time.Second)))
		defer release()
	}
	err = command(ctx, connection, spec, flag.Args()[1:])
	_ = connection.Close()
	if err != nil {
		fail(err)
	}
}

// fail prints what is wrong and ends the program.
func fail(err error) {
	if said, ok := status.FromError(err); ok {
		fmt.Fprintln(os.Stderr, problemOf(said))
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

func run(ctx context.Context, connection *grpc.ClientConn, spec *backtestv1.BacktestSpec, symbols []string) error {
	// docs: run
	request := &gatewayv1.RunBacktestsRequest{Spec: spec, Symbols: symbols}
	for event, err := range follow(ctx, connection, request) {
		if err != nil {
			return err
		}
		if started := event.GetStarted(); started != nil {
			fmt.Fprintln(os.Stderr, "run", started.GetRunId())
		}
		progress := event.GetProgress()
		fmt.Fprintf(os.Stderr, "%d of %d\n", progress.GetCompleted()+progress.GetFailed(), progress.GetTotal())
		if result := event.GetResult(); result != nil {
			fmt.Printf("%s %+.1f%%\n", result.GetSymbol(), 100*result.GetMetrics().GetTotalReturn())
		}
		if failure := event.GetFailure(); failure != nil {
			fmt.Printf("%s %v\n", failure.GetSymbol(), problemOf(status.FromProto(failure.GetStatus())))
		}
	}
	// docs: end
	return nil
}

func cancelInTheMiddle(
	ctx context.Context, connection *grpc.ClientConn, spec *backtestv1.BacktestSpec, symbols []string,
) error {
	request := &gatewayv1.RunBacktestsRequest{Spec: spec, Symbols: symbols}
	// docs: cancel
	var runID string
	for event, err := range follow(ctx, connection, request) {
		if status.Code(err) == codes.Canceled {
			fmt.Println(problemOf(status.Convert(err)).reason) // RUN_CANCELLED
			break
		}
		if err != nil {
			return err
		}
		if started := event.GetStarted(); started != nil {
			runID = started.GetRunId()
		}
		if event.GetResult() != nil {
			cancelled, err := gatewayv1.NewRunServiceClient(connection).CancelRun(
				ctx, &gatewayv1.CancelRunRequest{RunId: runID})
			if err != nil {
				return err
			}
			fmt.Println(cancelled.GetRun().GetState()) // RUN_STATE_CANCELLED
		}
	}
	// docs: end
	return nil
}

func curve(ctx context.Context, connection *grpc.ClientConn, spec *backtestv1.BacktestSpec, symbols []string) error {
	// docs: big results
	request := &gatewayv1.RunBacktestsRequest{
		Spec:    spec,
		Symbols: symbols,
		Detail:  backtestv1.Detail_DETAIL_EQUITY,
	}
	for event, err := range follow(ctx, connection, request) {
		if err != nil {
			return err
		}
		if result := event.GetResult(); result != nil {
			curve := result.GetEquityCurve()
			fmt.Println(result.GetSymbol(), len(curve.GetEquity()), "points,", len(result.GetTrades()), "trades")
		}
	}
	// docs: end
	return nil
}
