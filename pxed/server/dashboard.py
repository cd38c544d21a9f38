"""Everything behind the dashboard: its files, and the API's pages that it reads beside those of api_machines.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from pxed.server.api import Journal
from pxed.server.api_fleet import FleetPages
from pxed.server.api_preview import PreviewPages
from pxed.server.api_site import Served, SitePages
from pxed.server.api_timelines import Past, TimelinePages
from pxed.server.api_unknown import UnknownPages
from pxed.server.fleet import Boots, Fleet
from pxed.server.live import Live
from pxed.server.releases import Arriving, Releases
from pxed.server.replies import Asked
from pxed.server.routes import Route
from pxed.server.services import Services
from pxed.server.webpages import WebPages
from pxed.status.network import Network

Handler = Callable[[Asked], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of boots, now and from before."""

    fleet: Fleet
    boots: Boots
    past: Past
    journal: Journal
    network: Network


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One of each."""

    fleet: FleetPages
    timelines: TimelinePages
    preview: PreviewPages
    unknown: UnknownPages
    site: SitePages

    def handlers(self, index: Handler) -> dict[Route, Handler]:
        """The routes that these pages answer. `index` is the answer at "/" to what is no browser."""
        pages = WebPages(index)
        return {
            Route.INDEX: pages.index,
            Route.WEB: pages.file,
            Route.FLEET: self.fleet.fleet,
            Route.FLEET_EVENTS: self.fleet.events,
            Route.TIMELINES: self.timelines.boots,
            Route.TIMELINE: self.timelines.timeline,
            Route.PREVIEW: self.preview.preview,
            Route.UNKNOWN: self.unknown.unknown,
            Route.MIRRORED: self.site.mirror,
            Route.NETWORK: self.site.network,
        }

    @classmethod
    def of(
        cls, live: Live, services: Services, releases: Releases, arriving: Arriving, known: Known, served: Served
    ) -> Dashboard:
        """All of them. `known` is what the daemon knows of boots."""
        machines, boots = services.machines, known.boots
        return cls(
            FleetPages(known.fleet, machines),
            TimelinePages(boots, known.past),
            PreviewPages(services.visits, services.first_boots, releases, boots, served),
            UnknownPages(known.journal),
            SitePages(live, arriving, served, known.network),
        )

    def close(self) -> None:
        """End every stream."""
        self.fleet.close()
