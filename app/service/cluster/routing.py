"""Which replica a request goes to: one that holds its model, unless that one is busy and another is not."""

from __future__ import annotations

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from .routing_policy import rank_replicas


class ByModel(RequestRouter):
    """Replicas tell which models are in their memory (`Explainer.record_routing_stats`).

    Of a rank Serve takes the one with the fewest requests, the first where several have as many. Nobody waits for a
    replica only because it holds the model.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        model = pending_request.metadata.multiplexed_model_id if pending_request else ""
        return rank_replicas(candidate_replicas, model, self._requests)

    def _requests(self, replica: RunningReplica) -> int | None:
        """Requests of a replica as far as known here; None where nothing was heard of it lately."""
        return self.replica_queue_len_cache.get(replica.replica_id)
