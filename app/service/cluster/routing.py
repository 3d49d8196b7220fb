"""Chooses the replica for a request: preferably one that holds its model in memory and is not busy."""

from __future__ import annotations

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from .routing_policy import rank_replicas


class ModelAwareRouter(RequestRouter):
    """Ranks replicas by the models that they report to hold in memory (`Explainer.record_routing_stats`).

    Serve tries the ranks in order. Within a rank it takes the replica with the fewest requests, and the first one if
    several have equally few. No request waits for a replica only because that one holds the model.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        model = pending_request.metadata.multiplexed_model_id if pending_request else ""
        return rank_replicas(candidate_replicas, model, self._requests)

    def _requests(self, replica: RunningReplica) -> int | None:
        """The last known number of requests of a replica; None if it has not reported it lately."""
        return self.replica_queue_len_cache.get(replica.replica_id)
