/** Bounds of the gRPC side of a server. */
import { KiB, MiB } from '@cairnfs/base';
import { FRAME_MESSAGE_BYTES_MAX } from '@cairnfs/protocol';
import type { ServerOptions } from '@grpc/grpc-js';

/** What clients of gRPC accept by default, plus room for the fields around 4 MiB of data. */
const RECEIVED_MESSAGE_BYTES_MAX = 4 * MiB + 64 * KiB;
/** Calls one HTTP/2 connection may have open; a client waits with further ones. */
const CONCURRENT_STREAMS_MAX = 128;
/** HTTP/2 connections of a server; a further one is closed at once. Some 100 KiB each. */
export const GRPC_CONNECTIONS_MAX = 1024;
/** Bytes a sender may have under way on one stream: four messages of 1 MiB, where HTTP/2 starts at 64 KiB. */
const FLOW_CONTROL_BYTES = 4 * MiB;
/** Peers that vanished are found by an HTTP/2 ping, as the framed protocol does. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** What calls under way get to end when the server closes. */
export const CLOSE_GRACE_MS = 1_000;

export const SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': RECEIVED_MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': FRAME_MESSAGE_BYTES_MAX,
  'grpc.max_concurrent_streams': CONCURRENT_STREAMS_MAX,
  'grpc.keepalive_time_ms': KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
};
