-- Why: the record of a creator is public under the name that games and claims show, also before anybody had to claim
-- anything; and a block looks back to the one before it.

-- Written when the game is published. What was published before has its name in its claims.
alter table games add column creator_name varchar(64);
create index games_of_creator_name on games (tenant_id, creator_name) where creator_name is not null;

create index creator_blocks_of_party on creator_blocks (tenant_id, party_kind, party_id, created_at desc);
