"""Chooses the replica for a request: one that holds its model, unless that one is busy and another is not."""

from __future__ import annotations

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from .routing_policy import rank_replicas


class ByModel(RequestRouter):
    """Replicas report which models are in their memory (`Explainer.record_routing_stats`).

    From a rank Serve takes the replica with the fewest requests, the first of several with as few. No request waits
    for a replica only because it holds the model.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        model = pending_request.metadata.multiplexed_model_id if pending_request else ""
        return rank_replicas(candidate_replicas, model, self._requests)

    def _requests(self, replica: RunningReplica) -> int | None:
        """Requests of a replica as far as known here; None if it has not reported lately."""
        return self.replica_queue_len_cache.get(replica.replica_id)
