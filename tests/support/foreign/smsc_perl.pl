# An SMSC made of Net::SMPP. Its one argument is JSON: where to call us (`line`), where to listen
# (`port`), and the switches below, which the order `conduct` changes later.
#
# It serves one ESME at a time, writes ids in decimal, leaves TCP_NODELAY alone, gives an answer
# of refusal a body, and writes TLVs without their NUL: as whoever uses this module does.
#
#   accounts    who may bind: system_id -> password
#   receipts    whether a submit_sm that asks for a receipt gets it
#   state       what a receipt says
#   form        of a receipt: "text" (no TLVs), "tlv" (no text) or "both"
#   early       the receipt is sent before the submit_sm_resp
#   lose        so many submit_sm are taken and never answered
#   drop_after  the n-th submit_sm from now is taken, and the connection dropped unanswered
use strict;
use warnings;

use Encode qw(decode encode);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use Net::SMPP;

my $json = JSON::PP->new->utf8->canonical;
my $conduct = $json->decode($ARGV[0]);
%$conduct = (receipts => JSON::PP::true, state => 'DELIVRD', form => 'text', early => JSON::PP::false,
    lose => 0, drop_after => 0, %$conduct);
my %STATES = (ENROUTE => 1, DELIVRD => 2, EXPIRED => 3, DELETED => 4, UNDELIV => 5, ACCEPTD => 6,
    UNKNOWN => 7, REJECTD => 8);
my $next_id = $conduct->{first_id};
my $next_reference = 1;
my (@undelivered, %awaited, %parts);
my ($esme, $bound);
local $SIG{PIPE} = 'IGNORE';

my $line = IO::Socket::UNIX->new(Peer => $conduct->{line}) or die "no line: $!";
my $door = Net::SMPP->new_listen('127.0.0.1', port => $conduct->{port}, async => 1)
    or die "cannot listen: $!";
my $heard = '';
report('listening');

while (1) {
    my $waiting = IO::Select->new($line, $esme || $door);
    for my $ready ($waiting->can_read) {
        if ($ready == $line) { listen_to_test() }
        elsif ($ready == $door) { meet() }
        elsif ($esme) { serve() }
    }
}

# -- the line to the test ------------------------------------------------------------------------

sub report {
    my ($event, %details) = @_;
    syswrite $line, $json->encode({ event => $event, %details }) . "\n";
    return;
}

sub listen_to_test {
    sysread($line, $heard, 65536, length $heard) or exit 0;
    while ($heard =~ s/^(.*)\n//) {
        my $order = $json->decode($1);
        my $do = $order->{do};
        if ($do eq 'mo') { send_text($order) }
        elsif ($do eq 'unbind') { $esme->unbind(async => 1) if $esme }
        elsif ($do eq 'drop') { leave() if $esme }
        elsif ($do eq 'conduct') { %$conduct = (%$conduct, %{ $order->{changes} }) }
    }
    return;
}

# -- the one session -----------------------------------------------------------------------------

sub meet {
    $esme = $door->accept or return;
    $bound = 0;
    report('connected');
    return;
}

sub leave {
    close $esme;
    $esme = undef;
    unshift @undelivered, map { $awaited{$_} } sort { $a <=> $b } keys %awaited;
    %awaited = ();
    report('disconnected');
    return;
}

sub serve {
    my $pdu = $esme->read_pdu or return leave();
    my $command = $pdu->{cmd};
    if ($command == 1 || $command == 2 || $command == 9) { welcome($pdu) }
    elsif ($command == Net::SMPP::CMD_submit_sm) { submit($pdu) }
    elsif ($command == Net::SMPP::CMD_deliver_sm_resp) { answered($pdu) }
    elsif ($command == Net::SMPP::CMD_enquire_link) { $esme->enquire_link_resp(seq => $pdu->{seq}) }
    elsif ($command == Net::SMPP::CMD_unbind) {
        report('unbound', asked => 'esme');
        $esme->unbind_resp(seq => $pdu->{seq});
        leave();
    }
    elsif ($command == 0x80000006) {
        report('unbound', asked => 'smsc');
        leave();
    }
    return;
}

sub welcome {
    my ($pdu) = @_;
    my $password = $conduct->{accounts}{ $pdu->{system_id} };
    my $status = !defined $password ? 0x0f : $password ne $pdu->{password} ? 0x0e : 0;
    report('bind', account => $pdu->{system_id}, status => $status,
        mode => (undef, 'receiver', 'transmitter')[ $pdu->{cmd} ] || 'transceiver');
    my $answer = ('bind_receiver_resp', 'bind_transmitter_resp')[ $pdu->{cmd} - 1 ]
        || 'bind_transceiver_resp';
    $esme->$answer(seq => $pdu->{seq}, status => $status, system_id => 'Net::SMPP');
    return leave() if $status;
    $bound = 1;
    pump();
    return;
}

# -- texts from the ESME -------------------------------------------------------------------------

sub submit {
    my ($pdu) = @_;
    my $id = $next_id++;
    my $wanted = $conduct->{receipts} && $pdu->{registered_delivery} & 3;
    take($pdu, "$id");
    report_on($pdu, $id) if $wanted && $conduct->{early};
    if ($conduct->{drop_after} > 0 && --$conduct->{drop_after} == 0) {
        report('dropped');
        leave();
    }
    elsif ($conduct->{lose} > 0) {
        $conduct->{lose}--;
    }
    else {
        $esme->submit_sm_resp(seq => $pdu->{seq}, message_id => "$id");
    }
    report_on($pdu, $id) if $wanted && !$conduct->{early};
    return;
}

# Report the segment as Net::SMPP and Encode read it, and the text once all its segments are there.
sub take {
    my ($pdu, $id) = @_;
    my $octets = $pdu->{short_message};
    my %piece = (from => $pdu->{source_addr}, to => $pdu->{destination_addr},
        coding => $pdu->{data_coding});
    my ($header, $reference, $total, $number) = ('');
    if ($pdu->{esm_class} & 0x40) {
        ($header, $octets) = unpack 'C/a a*', $octets;
        ($reference, $total, $number) = unpack 'xx C C C', $header if $header =~ /^\x00\x03/s;
        ($reference, $total, $number) = unpack 'xx n C C', $header if $header =~ /^\x08\x04/s;
    }
    report('submit', id => $id, text => in_words($octets, $pdu), %piece);
    if (!$total) {
        report('text', text => in_words($octets, $pdu), segments => 1, ids => [$id], %piece);
        return;
    }
    my $key = join ' ', $piece{from}, $piece{to}, $reference, $total;
    $parts{$key}{$number} = [$octets, $id];
    return if keys %{ $parts{$key} } < $total;
    my @whole = @{ delete $parts{$key} }{ 1 .. $total };
    report('text', text => in_words(join('', map { $_->[0] } @whole), $pdu), segments => $total,
        ids => [map { $_->[1] } @whole], reference => $reference, %piece);
    return;
}

sub in_words {
    my ($octets, $pdu) = @_;
    return decode($pdu->{data_coding} == 8 ? 'UTF-16BE' : 'gsm0338', $octets);
}

# -- receipts and texts to the ESME --------------------------------------------------------------

sub report_on {
    my ($pdu, $id) = @_;
    my $state = $conduct->{state};
    my $text = "id:$id sub:001 dlvrd:" . ($state eq 'DELIVRD' ? '001' : '000')
        . " submit date:2611211010 done date:2611211011 stat:$state err:000 text:hello";
    my @tlvs = (receipted_message_id => "$id", message_state => chr $STATES{$state});
    deliver(
        source_addr_ton => $pdu->{dest_addr_ton}, source_addr_npi => $pdu->{dest_addr_npi},
        source_addr => $pdu->{destination_addr},
        dest_addr_ton => $pdu->{source_addr_ton}, dest_addr_npi => $pdu->{source_addr_npi},
        destination_addr => $pdu->{source_addr},
        esm_class => 4, short_message => $conduct->{form} eq 'tlv' ? '' : $text,
        $conduct->{form} eq 'text' ? () : @tlvs,
    );
    return;
}

# {from, to, text}: GSM if the alphabet has every character, else UTF-16; cut by octets.
sub send_text {
    my ($order) = @_;
    my @addresses = (
        source_addr_ton => 1, source_addr_npi => 1, source_addr => $order->{from},
        dest_addr_ton => 3, dest_addr_npi => 0, destination_addr => $order->{to},
    );
    my $text = $order->{text};
    my $octets = encode('gsm0338', $text);
    my ($coding, $one, $many) = (0, 160, 153);
    if (decode('gsm0338', $octets) ne $text) {
        ($coding, $one, $many) = (8, 140, 134);
        $octets = encode('UTF-16BE', $text);
    }
    if (length $octets <= $one) {
        deliver(@addresses, data_coding => $coding, short_message => $octets);
        return;
    }
    my @pieces = unpack "(a$many)*", $octets;
    my $reference = $next_reference++ & 0xff;
    for my $number (1 .. @pieces) {
        my $header = pack 'C6', 5, 0, 3, $reference, scalar @pieces, $number;
        deliver(@addresses, data_coding => $coding, esm_class => 0x40,
            short_message => $header . $pieces[$number - 1]);
    }
    return;
}

sub deliver {
    push @undelivered, [@_];
    pump();
    return;
}

sub pump {
    while ($bound && $esme && @undelivered) {
        my $delivery = shift @undelivered;
        # A copy: Net::SMPP takes its arguments apart.
        my $sequence = $esme->deliver_sm(@$delivery, async => 1);
        $awaited{$sequence} = $delivery;
    }
    return;
}

sub answered {
    my ($pdu) = @_;
    my $delivery = delete $awaited{ $pdu->{seq} };
    my %fields = $delivery ? @$delivery : ();
    report('answered', status => $pdu->{status}, esm_class => $fields{esm_class} || 0);
    push @undelivered, $delivery if $delivery && $pdu->{status};
    return;
}
